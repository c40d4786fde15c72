package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// group is a block of constants with a comment of its own.
type group struct {
	title     string
	constants []constant
}

// constant is a named string and what its comment says of it.
type constant struct{ value, meaning string }

// readConstants reads the blocks of string constants of a package that have a comment.
func readConstants(folder string) ([]group, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var groups []group
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".go" || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, entry.Name()), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			block, isBlock := declaration.(*ast.GenDecl)
			if isBlock && block.Tok == token.CONST && block.Doc != nil {
				groups = append(groups, readBlock(block))
			}
		}
	}
	return groups, nil
}

func readBlock(block *ast.GenDecl) group {
	g := group{title: oneLine(block.Doc.Text())}
	for _, spec := range block.Specs {
		value, isValue := spec.(*ast.ValueSpec)
		if !isValue || value.Doc == nil || len(value.Values) != 1 {
			continue
		}
		literal, isLiteral := value.Values[0].(*ast.BasicLit)
		if !isLiteral || literal.Kind != token.STRING {
			continue
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			continue
		}
		meaning := oneLine(value.Doc.Text())
		// The comment begins with the constant's name, which says nothing to a reader of the reference.
		meaning = strings.TrimPrefix(meaning, value.Names[0].Name)
		meaning = strings.TrimSpace(strings.TrimPrefix(meaning, ":"))
		g.constants = append(g.constants, constant{value: text, meaning: meaning})
	}
	return g
}

// reasonTables renders, for each wanted part of a title, the group that has it.
func reasonTables(wanted []string, groups []group) string {
	var text strings.Builder
	for _, part := range wanted {
		for _, g := range groups {
			title, _, _ := strings.Cut(g.title, ".")
			if !strings.Contains(title, part) || len(g.constants) == 0 {
				continue
			}
			if !strings.HasPrefix(title, "Condition") && !strings.HasPrefix(title, "Reasons") {
				continue
			}
			fmt.Fprintf(&text, "### %s\n\n| Value | Meaning |\n|---|---|\n", title)
			for _, c := range g.constants {
				fmt.Fprintf(&text, "| `%s` | %s |\n", c.value, cell(c.meaning))
			}
			text.WriteString("\n")
		}
	}
	return strings.TrimSuffix(text.String(), "\n")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
