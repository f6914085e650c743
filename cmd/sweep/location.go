package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// A location says where sweep keeps what must not be lost.
type location struct {
	dir   string // the embedded server's database, and the store by default
	store string // URL
}

func (l *location) addFlags(f *pflag.FlagSet) {
	f.StringVar(&l.dir, "dir", defaultDir(), "state directory `path`")
	f.StringVar(&l.store, "store", "", "where checkpoints, plans and results go: "+
		"a path, file:///path or s3://bucket/prefix (default: SWEEP_STORE, else <dir>/store)")
}

func (l *location) storeURL() string { return cmp.Or(l.elsewhere(), filepath.Join(l.dir, "store")) }

// elsewhere is the store that the flag or the environment names; "" if it lies in the state directory. SWEEP_STORE is
// not the flag's default, since help shows that.
func (l *location) elsewhere() string { return cmp.Or(l.store, os.Getenv("SWEEP_STORE")) }

// defaultDir is $SWEEP_DIR or the user's data directory.
func defaultDir() string {
	if d := os.Getenv("SWEEP_DIR"); d != "" {
		return d
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "sweep")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".sweep"
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "sweep")
	case "windows":
		return filepath.Join(home, "AppData", "Local", "sweep")
	}
	return filepath.Join(home, ".local", "share", "sweep")
}

// openLedger opens the sweeps of a store for reading. The error wraps errNoStore if
// there is no such store.
func openLedger(ctx context.Context, at location) (*ledger.Ledger, error) {
	store, err := readStore(ctx, at.storeURL())
	if err != nil {
		return nil, err
	}
	return ledger.New(store), nil
}

// openSweep opens the sweeps of a store for reading and finds one of them.
func openSweep(ctx context.Context, at location, sweep string) (*ledger.Ledger, *plan.Header, error) {
	l, err := openLedger(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	header, err := findSweep(ctx, l, sweep)
	return l, header, err
}

// findSweep reads the plan header of a sweep, given by its ID, its name or the beginning of one of them; of several
// with one name it is the newest.
func findSweep(ctx context.Context, l *ledger.Ledger, sweep string) (*plan.Header, error) {
	header, err := l.Find(ctx, sweep)
	if errors.As(err, new(*ledger.UnknownSweepError)) || errors.As(err, new(*ledger.AmbiguousSweepError)) {
		err = inputError{err}
	}
	return header, err
}

// findToCancel is findSweep for a sweep that is to be canceled: of several with one name, the one that has runs to
// train. If several have, the error names them.
func findToCancel(ctx context.Context, l *ledger.Ledger, sweep string) (*plan.Header, error) {
	header, err := findSweep(ctx, l, sweep)
	if err != nil {
		return nil, err
	}
	same, err := l.Match(ctx, sweep)
	if err != nil || len(same) < 2 {
		return header, err
	}
	completed, err := l.CompletedRuns(ctx)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, id := range same {
		h, err := l.Header(ctx, id)
		if err != nil {
			return nil, err
		}
		n, err := l.Count(ctx, h, completed)
		if err != nil {
			return nil, err
		}
		if n.Completed+n.Notes < h.CellCount {
			left, header = append(left, id), h
		}
	}
	switch len(left) {
	case 0:
		return l.Header(ctx, same[0])
	case 1:
		return header, nil
	}
	return nil, severalSweeps(ctx, l, sweep, left)
}

// severalSweeps is the error of a verb that ends or removes one sweep, where a text stands for several.
func severalSweeps(ctx context.Context, l *ledger.Ledger, want string, ids []string) error {
	const shown = 10
	text := fmt.Sprintf("%q stands for %d sweeps: give the ID of one", want, len(ids))
	for _, id := range ids[:min(len(ids), shown)] {
		text += "\n  " + id
		if created, err := l.Created(ctx, id); err == nil {
			text += "  created " + created.Local().Format(time.DateTime)
		}
	}
	if more := len(ids) - shown; more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return inputError{errors.New(text)}
}
