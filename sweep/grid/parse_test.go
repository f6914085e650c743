package grid

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/trainer"
)

const smallGrid = "name: small\ndata: {source: acts}\nparameters: {k: [8, 16], seed: [0, 1, 2]}\n" +
	"train: {steps: 10, batch_size: 32}\n"

// mustCells reads a grid and expands it on the data of goldentest.DataInfo.
func mustCells(t *testing.T, src string) []Cell {
	t.Helper()
	g, err := Parse("grid.yaml", []byte(src), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cells, err := g.Cells(goldentest.DataInfo())
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

func TestErrorsAs(t *testing.T) {
	_, err := Parse("grid.yaml", []byte("name: a\n"), ParseOptions{})
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 2 {
		t.Fatalf("%v", err)
	}
	want := Error{
		File: "grid.yaml", Line: 1, Column: 1, Path: "data",
		Msg: "missing: it says what to train on, a source or synthetic",
	}
	if errs[0] != want {
		t.Errorf("%+v", errs[0])
	}
}

func TestLimits(t *testing.T) {
	src := []byte("name: a\ndata: {source: acts}\nparameters: {k: [8, 16], seed: [1, 2]}\n")
	for _, c := range []struct {
		opts ParseOptions
		err  string
	}{
		{ParseOptions{}, ""}, {ParseOptions{MaxCells: 4}, ""}, {ParseOptions{MaxBytes: int64(len(src))}, ""},
		{ParseOptions{MaxCells: 3}, "4 cells (2 k × 2 seed): more than the limit of 3"},
		{ParseOptions{MaxBytes: int64(len(src)) - 1}, "more than the limit"},
	} {
		_, err := Parse("grid.yaml", src, c.opts)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, want %q", c.opts, err, c.err)
		}
	}
}

// TestLineEnds reads a file as Windows editors write it: with a byte order mark and CR LF.
func TestLineEnds(t *testing.T) {
	want := mustCells(t, smallGrid)
	windows := "\ufeff" + strings.ReplaceAll(smallGrid, "\n", "\r\n")
	if got := mustCells(t, windows); !reflect.DeepEqual(got, want) {
		t.Errorf("cells %v, want %v", got, want)
	}
	_, err := Parse("grid.yaml", []byte(strings.Replace(windows, "k: [8", "k: [0", 1)), ParseOptions{})
	if err == nil || err.Error() != "grid.yaml:3:18: parameters.k: 0 is less than 1" {
		t.Errorf("%v", err)
	}
}

// TestDataWithoutWidth expands a grid on data whose width is not known.
func TestDataWithoutWidth(t *testing.T) {
	g, err := Parse("grid.yaml", []byte(smallGrid), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Cells(trainer.DataInfo{}); err == nil {
		t.Error("no error")
	}
}
