package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// gridOptions name a grid file and bound what it may ask for.
type gridOptions struct {
	path     string
	maxCells int // 0: the default
}

func (o *gridOptions) addFlags(f *pflag.FlagSet) {
	f.Var(atLeast1(&o.maxCells), "max-cells", "refuse a grid of more cells (default 1,000,000)")
}

// A plannedGrid is ready to be stored and started.
type plannedGrid struct {
	src   []byte // the file as it was read
	plan  *plan.Plan
	inits gridInits
}

// planGrid reads a grid file, opens its data and expands it. Nothing is started or written.
func planGrid(ctx context.Context, env *environment, o gridOptions, est plan.Estimates) (*plannedGrid, error) {
	src, err := readGrid(o.path)
	if err != nil {
		return nil, inputError{err}
	}
	parsed, err := grid.Parse(o.path, src, grid.ParseOptions{MaxCells: o.maxCells})
	if err != nil {
		return nil, err
	}
	infos, err := openSets(ctx, env, parsed, filepath.Dir(o.path))
	if err != nil {
		return nil, err
	}
	inits, err := readInits(ctx, parsed, filepath.Dir(o.path))
	if err != nil {
		return nil, err
	}
	p, err := plan.NewOf(parsed, infos, est)
	if errors.As(err, new(*plan.UnsupportedError)) {
		return nil, inputError{fmt.Errorf("%s: %w", o.path, err)}
	}
	if err != nil {
		return nil, err
	}
	return &plannedGrid{src, p, inits}, nil
}

// openSets opens the data sets of a grid that lies in a folder, one after the other, and returns what they are. It
// makes their sources absolute. Names of the activations that the grid leaves open come from the files harvest.json
// beside the shards. The error has what is wrong with any of the sets.
func openSets(ctx context.Context, env *environment, g *grid.Grid, dir string) ([]trainer.DataInfo, error) {
	options, err := env.dataOptions()
	if err != nil {
		return nil, err
	}
	infos := make([]trainer.DataInfo, len(g.Sets))
	var bad grid.Errors
	for i := range g.Sets {
		spec := g.Sets[i].Data
		spec.Source = absoluteSource(spec.Source, dir)
		spec.EvalSource = absoluteSource(spec.EvalSource, dir)
		set, err := data.Open(ctx, *spec, options)
		if errors.Is(err, data.ErrBad) {
			bad = append(bad, g.DataErrors(i, unjoin(err), data.OfEvalSource)...)
			continue
		}
		if err != nil { // a failed read, which says nothing about the grid
			return nil, fmt.Errorf("%s%w", g.Sets[i].Label(), err)
		}
		infos[i] = set.Info()
		names, notes := set.Names(spec.Names)
		spec.Names, infos[i].Notes = names, slices.Concat(infos[i].Notes, notes)
		if err := set.Close(); err != nil {
			return nil, err
		}
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return infos, nil
}

// refusal returns plan.Estimates.Unsupported for a backend: a run that has its result in the
// store at a location need not be trained. The store is looked at only for runs that cannot
// be trained.
func refusal(ctx context.Context, at location, b workerBackend) func(string, trainer.Config) error {
	completed := sync.OnceValues(func() (map[string]bool, error) { return completedRuns(ctx, at) })
	return func(run string, c trainer.Config) error {
		err := b.unsupported(c)
		if err == nil {
			return nil
		}
		if runs, storeErr := completed(); storeErr == nil && runs[run] {
			return nil
		}
		return fmt.Errorf("backend %s: %w", b.name, err)
	}
}

// readGrid reads a grid file, but no more than one byte over the limit: enough for
// the parser to refuse it.
func readGrid(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file; sweep help run shows a first grid", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, grid.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}

// absoluteSource makes a data source that is relative to the grid's folder mean the
// same to a worker with another working directory.
func absoluteSource(source, base string) string {
	if source == "" || filepath.IsAbs(source) || strings.Contains(source, "://") || strings.HasPrefix(source, "~") {
		return source
	}
	abs, err := filepath.Abs(filepath.Join(base, source))
	if err != nil {
		return source
	}
	if os.IsPathSeparator(source[len(source)-1]) {
		abs += string(filepath.Separator) // it says that the source is a folder
	}
	return abs
}

// unjoin lists the errors that errors.Join has joined.
func unjoin(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, unjoin(e)...)
	}
	return all
}

// store stores the plan and the file that it was made from, prints what is to be
// noted of it, and returns the header that the store then has. A sweep that has been
// extended since stays extended.
func (p *plannedGrid) store(ctx context.Context, env *environment, l *ledger.Ledger) (*plan.Header, error) {
	for _, w := range p.plan.Warnings {
		fmt.Fprintln(env.errOut, "note:", w)
	}
	if err := p.inits.store(ctx, l, p.plan.Inits); err != nil {
		return nil, err
	}
	var header *plan.Header
	var runDiffers bool
	err := l.BesideRemovals(ctx, p.plan.ID, removalOptions(env.errOut), func() (err error) {
		header, runDiffers, err = l.Submit(ctx, p.plan, p.src)
		return err
	})
	if runDiffers {
		fmt.Fprintln(env.errOut,
			"note: the section run differs from that of before: if the sweep is running, it goes on as it was started")
	}
	if err == nil {
		err = p.inits.keep(ctx, l, p.plan.Inits)
	}
	if err != nil {
		return nil, err
	}
	return header, noteOlderSweeps(ctx, env, l, header.Name)
}
