package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/trainer"
)

// place says where sweep keeps what it must not lose.
type place struct {
	dir   string // the embedded server's database, and the store by default
	store string // URL
}

func (p *place) flags(f *pflag.FlagSet) {
	f.StringVar(&p.dir, "dir", defaultDir(), "state directory `path`")
	f.StringVar(&p.store, "store", os.Getenv("SWEEP_STORE"), "where checkpoints, plans and results go: a path, file:///path or s3://bucket/prefix (default: SWEEP_STORE, else <dir>/store)")
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
	gpus    []int
	perGPU  int
	slots   int
}

// training is what a process trains on, and how many runs at a time.
type training struct {
	backend trainer.Backend
	slots   int
}

func (w *workerFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&w.backend, "backend", "auto", "what to train on: auto, cpu or cuda; auto is cuda where there is a GPU")
	f.IntSliceVar(&w.gpus, "gpus", nil, "`numbers` of the GPUs to train on, as in 0,1 (default all)")
	f.IntVar(&w.perGPU, "slots-per-gpu", 1, "runs that each GPU trains at a time")
	f.IntVar(&w.slots, "slots", 0, "runs that this process trains at a time (default: one per core, at most 4, or what the GPUs have)")
}

func (w *workerFlags) check() error {
	if w.slots < 0 {
		return inputError{fmt.Errorf("--slots %d: want 1 or more", w.slots)}
	}
	if w.perGPU < 1 {
		return inputError{fmt.Errorf("--slots-per-gpu %d: want 1 or more", w.perGPU)}
	}
	return nil
}

// cores returns how many runs train on the CPU at a time and each one's share of
// the cores, which shows in no result.
func (w *workerFlags) cores() (slots, threads int) {
	cores := runtime.GOMAXPROCS(0)
	slots = w.slots
	if slots == 0 {
		slots = min(4, cores)
	}
	return slots, max(1, cores/slots)
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
