// Package fuzzing is for packages with tests that need servers and with fuzzing that needs none.
package fuzzing

import "flag"

// Alone reports whether the test program only fuzzes: each of its workers would start the servers anew. It is for TestMain.
func Alone() bool {
	flag.Parse()
	target := flag.Lookup("test.fuzz")
	return target != nil && target.Value.String() != ""
}
