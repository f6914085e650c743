package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// swap swaps two neighbours that differ.
func swap(id string) string {
	for i := range len(id) - 1 {
		if id[i] != id[i+1] {
			return id[:i] + id[i+1:i+2] + id[i:i+1] + id[i+2:]
		}
	}
	return id
}

// Cells of a sweep that is larger than one table are chosen too, and as many as a history holds.
func TestChooseOfMany(t *testing.T) {
	_, p := storeGrid(t, t.TempDir(), eightCells("eight"), 0)
	var results []ledger.Result
	for i := range 2 * protocol.MaxSelection {
		r := ledger.NewResult(&p.Header, p.Cells[i%8], plan.Pending)
		r.Cell, r.Config.Seed = fmt.Sprintf("%020x", i), int64(i)
		results = append(results, r)
	}
	var o selectionOptions
	if err := o.where.Set("seed>=" + strconv.Itoa(protocol.MaxSelection)); err != nil {
		t.Fatal(err)
	}
	env := &environment{errOut: io.Discard}
	cells, err := o.choose(env, &p.Header, results)
	if err != nil || len(cells) != protocol.MaxSelection || cells[0] != protocol.MaxSelection || !slices.IsSorted(cells) {
		t.Errorf("%d cells, %v", len(cells), err)
	}
	o = selectionOptions{}
	if err := o.where.Set("seed>=" + strconv.Itoa(protocol.MaxSelection-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.choose(env, &p.Header, results); !errors.As(err, new(inputError)) {
		t.Errorf("one cell too many: %v", err)
	}
}

// FuzzCells reads whatever stands behind --cell, without an empty ID, which every cell's begins with.
func FuzzCells(f *testing.F) {
	for _, s := range []string{"", ",", "ab", "AB, cd", "a,,b", "\x00", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c cellsFlag
		if err := c.Set(s); err == nil && (len(c) == 0 || slices.Contains(c, "")) {
			t.Errorf("%q is read as %q", s, c)
		}
	})
}
