package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer/data"
)

// gridFlags bound what a grid may ask for.
type gridFlags struct{ maxCells int }

func (g *gridFlags) flags(f *pflag.FlagSet) {
	f.Var(atLeast1(&g.maxCells), "max-cells", "refuse a grid of more cells (default 1,000,000)")
}

// A planned grid is ready to be stored and started.
type planned struct {
	src  []byte // the file as it was read
	grid *grid.Grid
	plan *plan.Plan
}

// plan reads a grid file, opens its data and expands it. Nothing is started or
// written.
func (g *gridFlags) plan(ctx context.Context, path string, est plan.Estimates) (*planned, error) {
	src, err := readGrid(path)
	if err != nil {
		return nil, inputError{err}
	}
	parsed, err := grid.Parse(path, src, grid.ParseOptions{MaxCells: g.maxCells})
	if err != nil {
		return nil, err
	}
	parsed.Data.Source = absolute(parsed.Data.Source, filepath.Dir(path))
	set, err := data.Open(ctx, parsed.Data, data.Options{})
	if errors.Is(err, data.ErrBad) {
		return nil, parsed.DataErrors(each(err))
	}
	if err != nil {
		return nil, inputError{err}
	}
	info := set.Info()
	if err := set.Close(); err != nil {
		return nil, err
	}
	whole, err := plan.New(parsed, info, est)
	if err != nil {
		return nil, err
	}
	return &planned{src: src, grid: parsed, plan: whole}, nil
}

// each takes joined errors apart.
func each(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, each(e)...)
	}
	return out
}

// maxDetails is how much the Web UI is told of a sweep, in bytes of JSON: a
// server refuses a workflow with more than 20,000.
const maxDetails = 19_000

// gridDetails describes a sweep in the Web UI, in Markdown: its grid.
func gridDetails(id string, src []byte) string {
	text := "```yaml\n" + strings.TrimSpace(string(src)) + "\n```"
	if b, err := json.Marshal(text); err != nil || len(b) > maxDetails {
		return "The grid is in the store: `" + ledger.GridKey(id) + "`"
	}
	return text
}

func readGrid(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file; sweep help run shows a first grid", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte over the limit is enough for the parser to say so.
	b, err := io.ReadAll(io.LimitReader(f, grid.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}

// absolute makes a source that is relative to the grid's folder mean the same
// to a worker that runs elsewhere on the machine.
func absolute(source, base string) string {
	if source == "" || filepath.IsAbs(source) || strings.Contains(source, "://") || strings.HasPrefix(source, "~") {
		return source
	}
	if abs, err := filepath.Abs(filepath.Join(base, source)); err == nil {
		return abs
	}
	return source
}

// save stores a plan and the file that it was made from. A sweep that has been
// extended since stays extended. note is something to tell the user, or empty.
func (p *planned) save(ctx context.Context, store storage.Store) (_ *plan.Header, note string, err error) {
	h, differs, err := ledger.New(store).Submit(ctx, p.plan, p.src)
	if differs {
		note = "the section run differs from that of before: if the sweep is running, it goes on as it was started"
	}
	return h, note, err
}

// findSweep returns the stored plan of a sweep given by its ID or its name; of
// several with one name, the newest.
func findSweep(ctx context.Context, store storage.Store, want string) (*plan.Header, error) {
	h, err := ledger.New(store).Find(ctx, want)
	var unknown *ledger.UnknownSweepError
	if errors.As(err, &unknown) {
		return nil, inputError{err}
	}
	return h, err
}
