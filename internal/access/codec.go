package access

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// What bounds the written form of a tree: more than this nobody needs, and nobody reads.
const (
	maxEncoded = 4 << 20
	maxLines   = 65536
)

// Encode writes what a tree allows, without why: a line for each right, its level and its address, in order. A cluster `*`
// stands for every cluster.
func Encode(t *Tree) []byte {
	lines := map[string]struct{}{}
	for i := range t.rights {
		right := &t.rights[i]
		if right.Level > None && t.needs(right) {
			lines[strconv.Itoa(int(right.Level))+" "+right.Target.String()] = struct{}{}
		}
	}
	var text bytes.Buffer
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		text.WriteString(line)
		text.WriteByte('\n')
	}
	return text.Bytes()
}

// needs reports whether the tree would allow less without the right: no right above it allows as much.
func (t *Tree) needs(right *Right) bool {
	for i := range t.rights {
		other := &t.rights[i]
		if other.Level >= right.Level && other.Target.covers(right.Target) && !right.Target.covers(other.Target) {
			return false
		}
	}
	return true
}

var errEncoded = errors.New("this is no tree of rights")

// Decode reads what Encode wrote. Anything else is an error.
func Decode(text []byte) (*Tree, error) {
	if len(text) > maxEncoded {
		return nil, fmt.Errorf("%w: it has %d bytes; %d are allowed", errEncoded, len(text), maxEncoded)
	}
	var rights []Right
	for line := range bytes.Lines(text) {
		if len(rights) == maxLines {
			return nil, fmt.Errorf("%w: it has more than %d lines", errEncoded, maxLines)
		}
		right, err := decodeLine(string(line))
		if err != nil {
			return nil, err
		}
		rights = append(rights, right)
	}
	return NewTree(rights), nil
}

func decodeLine(line string) (Right, error) {
	digit, address, found := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	level := slices.Index([]string{"0", "1", "2", "3", "4"}, digit)
	if !found || level < int(List) || !strings.HasSuffix(line, "\n") {
		return Right{}, fmt.Errorf("%w: line %.80q", errEncoded, line)
	}
	// Every cluster is nothing that a person may write, so that it is read as one that has a name.
	scheme, rest, found := strings.Cut(address, "://")
	every := found && slices.Contains(InProjects, Scheme(scheme)) && (rest == anyCluster || strings.HasPrefix(rest, anyCluster+"/"))
	if every {
		address = scheme + "://" + Home + strings.TrimPrefix(rest, anyCluster)
	}
	target, relative, err := Parse(address)
	if err != nil || relative {
		return Right{}, fmt.Errorf("%w: line %.80q", errEncoded, line)
	}
	if every {
		target.path[0] = anyCluster
	}
	return Right{Target: target, Level: Level(level)}, nil
}
