package grid

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/goldentest"
)

// TestBad reads every grid of testdata/bad. The golden file beside it holds its errors.
func TestBad(t *testing.T) {
	for _, path := range goldentest.Files(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			g, err := Parse("grid.yaml", src, ParseOptions{})
			if err == nil {
				_, err = g.Cells(infosOf(g)...)
			}
			if err == nil {
				t.Fatal("no error")
			}
			checkErrors(t, src, err)
			goldentest.Check(t, strings.TrimSuffix(path, ".yaml")+".txt", []byte(err.Error()+"\n"))
		})
	}
}

// checkErrors checks what holds for the errors of any grid: they are Errors, each has a position in the file, and they
// are in the order of the file.
func checkErrors(t *testing.T, src []byte, err error) {
	t.Helper()
	errs, ok := err.(Errors)
	if !ok || len(errs) == 0 {
		t.Fatalf("%T: want Errors: %v", err, err)
	}
	var width []int
	for _, line := range strings.Split(string(src), "\n") {
		width = append(width, utf8.RuneCountInString(line))
	}
	for i, e := range errs {
		if e.Line < 1 || e.Line > len(width) || e.Column < 1 || e.Column > width[e.Line-1]+1 {
			t.Errorf("%v: lies outside of the file", e)
		}
		if e.Msg == "" || strings.ContainsAny(e.Msg, "\n\r") {
			t.Errorf("%q: want one line", e.Msg)
		}
		if i > 0 && (e.Line < errs[i-1].Line || e.Line == errs[i-1].Line && e.Column < errs[i-1].Column) {
			t.Errorf("%v: comes after %v", e, errs[i-1])
		}
	}
}
