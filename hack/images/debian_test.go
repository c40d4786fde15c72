package main

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

func TestPickMirror(t *testing.T) {
	for name, tc := range map[string]struct {
		targets string
		want    string
	}{
		"nothing configured": {"", ""},
		"another release":    {"trixie main http://mirror.example/debian/\n", ""},
		"another component":  {"bookworm contrib http://mirror.example/debian/\n", ""},
		"the first of the release": {"bookworm-security main http://s.example/\nbookworm main http://a.example/debian/\n" +
			"bookworm main http://b.example/debian/\n", "http://a.example/debian"},
		"noise": {"\nbookworm main\nbookworm main file:/srv/debian\n", "file:/srv/debian"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pickMirror(tc.targets, "bookworm"); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestStages(t *testing.T) {
	var got []string
	watch := stages(func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) })
	for _, line := range []string{
		"I: Target architecture can be executed", "I: Retrieving a", "I: Validating a", "I: Retrieving b", "Unpacking c",
		"W: Configuring failed", "I: Configuring c...", "I: Configuring d...",
	} {
		watch(line)
	}
	if want := []string{"retrieving packages", "configuring packages"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLeaveOutList(t *testing.T) {
	list, err := source(leaveOutList)
	if err != nil {
		t.Fatal(err)
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	exclude, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	if exclude.Exclusions() {
		t.Error("an exception in the list makes scan enter every directory: say what goes instead")
	}
	for name, wantOut := range map[string]bool{
		"bin/sh":                          false,
		"dev/null":                        true,
		"etc/passwd":                      false,
		"etc/shadow":                      true,
		"proc":                            false,
		"tmp":                             false,
		"usr/bin/env":                     false,
		"usr/bin/x86_64-linux-gnu-gcc-12": true,
		"usr/bin/python3.11":              false,
		"usr/bin/python3.11-config":       true,
		"usr/include/stdio.h":             true,
		"usr/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a":           true,
		"usr/lib/python3.11/__pycache__/os.cpython-311.pyc":                         false,
		"usr/lib/python3.11/unittest/case.py":                                       false,
		"usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz":         false,
		"usr/lib/python3/dist-packages/sklearn/tests/test_base.py":                  true,
		"usr/lib/python3/dist-packages/sklearn/utils/tests/__init__.py":             true,
		"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2":                             false,
		"usr/lib/x86_64-linux-gnu/libgomp.so.1":                                     false,
		"usr/lib/x86_64-linux-gnu/libstdc++.so.6":                                   false,
		"usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3":                    false,
		"usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.a":                   true,
		"usr/share/zoneinfo/Europe/Berlin":                                          false,
		"var/lib/dpkg/status":                                                       false,
		"var/lib/dpkg/info/base-files.list":                                         true,
		"etc/alternatives/liblapack.so.3-x86_64-linux-gnu":                          false,
		"etc/alternatives/libblas.a-x86_64-linux-gnu":                               true,
		"usr/lib/python3/dist-packages/numpy/core/include/numpy/arrayobject.h":      false,
		"usr/lib/python3/dist-packages/scipy/optimize/_minpack_py.py":               false,
		"usr/lib/python3/dist-packages/joblib/externals/loky/backend/__init__.py":   false,
		"usr/lib/python3/dist-packages/numpy/__init__.pyi":                          true,
		"usr/lib/python3/dist-packages/sklearn/__pycache__/base.cpython-311.pyc":    false,
		"usr/lib/python3/dist-packages/sklearn/utils/_testing.py":                   false,
		"usr/lib/python3/dist-packages/numpy/testing/_private/utils.py":             false,
		"usr/lib/python3/dist-packages/pythran/__init__.py":                         true,
		"usr/lib/x86_64-linux-gnu/libboost_atomic.so":                               true,
		"usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so":       false,
		"usr/lib/python3/dist-packages/sklearn/datasets/images/china.jpg":           false,
		"usr/lib/python3/dist-packages/sklearn/datasets/tests/data/openml/1/x.json": true,
	} {
		out, err := exclude.MatchesOrParentMatches(name)
		if err != nil || out != wantOut {
			t.Errorf("%s: left out is %t (%v), want %t", name, out, err, wantOut)
		}
	}
}
