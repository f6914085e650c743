package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"

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

// findSweep reads the plan header of a sweep, given by its ID or its name; of several
// with one name it is the newest.
func findSweep(ctx context.Context, l *ledger.Ledger, sweep string) (*plan.Header, error) {
	header, err := l.Find(ctx, sweep)
	if unknown := (*ledger.UnknownSweepError)(nil); errors.As(err, &unknown) {
		err = inputError{err}
	}
	return header, err
}
