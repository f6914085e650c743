package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/pflag"
)

// place says where sweep keeps what it must not lose.
type place struct {
	dir   string // the embedded server's database, and the store by default
	store string // URL
}

func (p *place) flags(f *pflag.FlagSet) {
	f.StringVar(&p.dir, "dir", defaultDir(), "state directory `path`")
	f.StringVar(&p.store, "store", "", "where checkpoints, plans and results go: a path, file:///path or s3://bucket/prefix (default <dir>/store)")
}

func (p *place) storeURL() string {
	if p.store != "" {
		return p.store
	}
	return filepath.Join(p.dir, "store")
}

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

// workerFlags say how a process trains.
type workerFlags struct {
	backend string
	slots   int
	threads int // each run's share of the cores; it shows in no result
}

func (w *workerFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&w.backend, "backend", "auto", "what to train on: auto or cpu")
	f.IntVar(&w.slots, "slots", 0, "runs that this process trains at a time (default: one per core, at most 4)")
}

func (w *workerFlags) check() error {
	if w.slots < 0 {
		return inputError{fmt.Errorf("--slots %d: want 1 or more", w.slots)}
	}
	cores := runtime.GOMAXPROCS(0)
	if w.slots == 0 {
		w.slots = min(4, cores)
	}
	w.threads = max(1, cores/w.slots)
	return nil
}

// serverFlags say how the embedded server listens.
type serverFlags struct {
	noUI             bool
	uiPort, grpcPort int
}

func (s *serverFlags) flags(f *pflag.FlagSet) {
	f.BoolVar(&s.noUI, "no-ui", false, "run without the Temporal Web UI")
	f.IntVar(&s.uiPort, "ui-port", 0, "`port` of the Web UI on 127.0.0.1 (default 8233, or any free one)")
	f.IntVar(&s.grpcPort, "grpc-port", 0, "`port` of the Temporal server on 127.0.0.1 (default 7233, or any free one)")
}
