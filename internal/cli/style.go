package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// style colours words, on terminals alone.
type style struct {
	colour   bool
	terminal bool
}

// styleFor decides for a stream. NO_COLOR and TERM=dumb turn colour off, as everywhere.
func styleFor(stream io.Writer, getenv func(string) string) style {
	terminal := isTerminal(stream) && getenv("TERM") != "dumb"
	return style{terminal: terminal, colour: terminal && getenv("NO_COLOR") == ""}
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func (s style) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) good(text string) string { return s.paint("32", text) }
func (s style) warn(text string) string { return s.paint("33", text) }
func (s style) bad(text string) string  { return s.paint("31", text) }
func (s style) dim(text string) string  { return s.paint("2", text) }

// tone colours a text as the outcome that it tells.
func (s style) tone(t tone, text string) string {
	switch t {
	case toneGood:
		return s.good(text)
	case toneWarn:
		return s.warn(text)
	case toneBad:
		return s.bad(text)
	default:
		return text
	}
}

// tone is what a line means to the reader.
type tone int

const (
	tonePlain tone = iota
	toneGood
	toneWarn
	toneBad
)
