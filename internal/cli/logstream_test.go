package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// fakeLog is a container's log; since is answered by whole seconds, as the API does.
type fakeLog []time.Duration

func (f fakeLog) request(since *time.Time) string {
	var b strings.Builder
	for i, at := range f {
		stamp := noon.Add(at)
		if since != nil && stamp.Before(*since) {
			continue
		}
		fmt.Fprintf(&b, "%s line %d\n", stamp.Format(time.RFC3339Nano), i)
	}
	return b.String()
}

// broken breaks off after a number of bytes, as a connection does.
type broken struct {
	r    io.Reader
	left int
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// What the kubelet says of a container that it removes is no output; what a program says alike is.
func TestCopyLogOfRemovedContainer(t *testing.T) {
	const words = "unable to retrieve container logs for containerd://0123"
	var out strings.Builder
	if err := copyLog(&out, strings.NewReader(noon.Format(time.RFC3339Nano)+" "+words+"\n"+words), &logCursor{}, false); err != nil {
		t.Fatal(err)
	}
	if want := words + "\n"; out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
}

// TestCopyLogResumes breaks the connection after every number of bytes, over and over, and wants every line once.
func TestCopyLogResumes(t *testing.T) {
	ms := time.Millisecond
	log := fakeLog{0, 1 * ms, 1 * ms, 1 * ms, 999 * ms, 1000 * ms, 1000 * ms, 1500 * ms, 1400 * ms, 3000 * ms, 3000 * ms, 2999 * ms, 3001 * ms}
	var want strings.Builder
	for i := range log {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	whole := log.request(nil)
	for size := range len(whole) + 1 {
		var out strings.Builder
		cursor := &logCursor{}
		err := copyLog(&out, &broken{strings.NewReader(whole), size}, cursor, false)
		for err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			// Later connections break too, further on each time.
			rest := log.request(cursor.begin())
			size += 40
			err = copyLog(&out, &broken{strings.NewReader(rest), min(size, len(rest)+1)}, cursor, false)
		}
		if out.String() != want.String() {
			t.Fatalf("first break after %d bytes:\n%s", size, out.String())
		}
	}
}

func TestCopyLogText(t *testing.T) {
	long := strings.Repeat("x", 3*maxLogLine)
	tests := map[string]struct{ log, want, wantWithTimes string }{
		"plain":        {"2026-03-01T12:00:00Z a b\n", "a b\n", "2026-03-01T12:00:00Z a b\n"},
		"empty line":   {"2026-03-01T12:00:00Z \n", "\n", "2026-03-01T12:00:00Z \n"},
		"no line end":  {"2026-03-01T12:00:00Z 50 %", "50 %", "2026-03-01T12:00:00Z 50 %"},
		"long":         {"2026-03-01T12:00:00Z " + long + "\n", long + "\n", "2026-03-01T12:00:00Z " + long + "\n"},
		"no time":      {"unable to retrieve\n", "unable to retrieve\n", "unable to retrieve\n"},
		"nothing":      {"", "", ""},
		"carriage ret": {"2026-03-01T12:00:00Z 1\r2\r\n", "1\r2\r\n", "2026-03-01T12:00:00Z 1\r2\r\n"},
	}
	for name, tt := range tests {
		for _, times := range []bool{false, true} {
			t.Run(fmt.Sprint(name, times), func(t *testing.T) {
				var out strings.Builder
				want := tt.want
				if times {
					want = tt.wantWithTimes
				}
				if err := copyLog(&out, strings.NewReader(tt.log), &logCursor{}, times); err != nil || out.String() != want {
					t.Errorf("error %v, %d bytes, want %d", err, out.Len(), len(want))
				}
			})
		}
	}
}

func TestPrefixWriter(t *testing.T) {
	var out strings.Builder
	w := &prefixWriter{w: &out, prefix: []byte("[1] ")}
	for _, piece := range []string{"a", "b\nc\n", "\n", "d"} {
		if _, err := w.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	flush(w)
	if want := "[1] ab\n[1] c\n[1] \n[1] d\n"; out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
}
