package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// file is a Go file of the tree.
type file struct {
	path  string // below the module's root, with slashes
	test  bool
	lines int
	*ast.File
	set *token.FileSet
}

// pkg is the path of the file's package below the module.
func (f file) pkg() string {
	if dir := path.Dir(f.path); dir != "." {
		return dir
	}
	return ""
}

// position is where a node stands, for messages.
func (f file) position(n ast.Node) string {
	p := f.set.Position(n.Pos())
	p.Filename = f.path
	return p.String()
}

const root = "../.."

// tree parses every Go file of the module; folders with a module of their own
// and testdata are not part of it.
func tree(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, own := os.Stat(filepath.Join(name, "go.mod"))
			if base := entry.Name(); below != "." && (own == nil || base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file{
			path: filepath.ToSlash(below), test: strings.HasSuffix(name, "_test.go"),
			lines: strings.Count(string(text), "\n"), File: parsed, set: set,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d files found: is this the tree?", len(files))
	}
	return files
}

// imports calls fn with each import of a file.
func (f file) imports(fn func(spec *ast.ImportSpec, imported string)) {
	for _, spec := range f.Imports {
		fn(spec, strings.Trim(spec.Path.Value, "`\""))
	}
}

// uses calls fn with each mention of a name of another package, such as
// time.Now. It goes by what the package is called, which is how it is
// imported everywhere.
func (f file) uses(fn func(n ast.Node, name string)) {
	ast.Inspect(f.File, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				fn(n, x.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
}
