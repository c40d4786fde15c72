package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"
)

// maxLogLine is the number of bytes of a line that are written at once; longer lines are written in pieces.
const maxLogLine = 64 << 10

// noLog is what the kubelet writes in the place of the log of a container that it is removing.
var noLog = []byte("unable to retrieve container logs for ")

// logCursor remembers how far a container's log was read, so that a new request goes on where the last one broke: no line
// is left out and none comes twice. The API resumes by whole seconds, and the lines of a program's two streams may be a
// little out of order, so a new request begins a second early and the lines since then are counted.
type logCursor struct {
	last         time.Time // the newest time that was seen
	second       time.Time // that time, in whole seconds
	before, from int       // lines that were passed on: in the second before, and from second on
	skip         int       // lines of the current request that were passed on before
}

// begin is where a new request begins, nil for the beginning of the log.
func (c *logCursor) begin() *time.Time {
	if c.last.IsZero() {
		return nil
	}
	begin := c.second.Add(-time.Second)
	return &begin
}

// restart prepares for the lines of a new request.
func (c *logCursor) restart() { c.skip = c.before + c.from }

// take reports whether a line with this time is new.
func (c *logCursor) take(at time.Time) bool {
	if c.skip > 0 && !at.After(c.last) {
		if !at.Before(c.second.Add(-time.Second)) {
			c.skip--
		}
		return false
	}
	c.skip = 0
	if at.After(c.last) {
		switch second := at.Truncate(time.Second); {
		case second.Equal(c.second):
		case second.Equal(c.second.Add(time.Second)):
			c.second, c.before, c.from = second, c.from, 0
		default:
			c.second, c.before, c.from = second, 0, 0
		}
		c.last = at
	}
	switch {
	case !at.Before(c.second):
		c.from++
	case !at.Before(c.second.Add(-time.Second)):
		c.before++
	}
	return true
}

// copyLog writes the new lines of a log that has a time before every line. The time is kept where times is set. The
// result is nil at the log's end.
func copyLog(w io.Writer, log io.Reader, cursor *logCursor, times bool) error {
	cursor.restart()
	lines := bufio.NewReaderSize(log, maxLogLine)
	begin, wanted := true, true
	for {
		piece, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && len(piece) > 0 && begin && !errors.Is(err, io.EOF) {
			return err // half a line of a broken connection: it comes again, whole
		}
		if len(piece) > 0 {
			text := piece
			if begin {
				stamp, rest, found := bytes.Cut(piece, []byte{' '})
				at, parseError := time.Parse(time.RFC3339Nano, string(stamp))
				switch {
				case bytes.HasPrefix(piece, noLog):
					wanted = false
				case !found || parseError != nil: // a word of the kubelet's own, or an empty line
					wanted = true
				default:
					wanted = cursor.take(at)
					if !times {
						text = rest
					}
				}
			}
			if wanted {
				if _, writeError := w.Write(text); writeError != nil {
					return &writeFailure{writeError}
				}
			}
			begin = piece[len(piece)-1] == '\n'
		}
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// writeFailure tells that the reader of the output went away, as `| head` does.
type writeFailure struct{ err error }

func (e *writeFailure) Error() string { return "the output cannot be written: " + e.err.Error() }
func (e *writeFailure) Unwrap() error { return e.err }
