package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

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
	w.perGPU = 1
	f.Var(atLeast1(&w.perGPU), "slots-per-gpu", "runs that each GPU trains at a time")
	f.Var(atLeast1(&w.slots), "slots", "runs that this process trains at a time (default: one per core, at most 4, or what the GPUs have)")
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
	f.Var(number{&s.uiPort, 1, 65535}, "ui-port", "`port` of the Web UI on 127.0.0.1 (default 8233, or any free one)")
	f.Var(number{&s.grpcPort, 1, 65535}, "grpc-port", "`port` of the Temporal server on 127.0.0.1 (default 7233, or any free one)")
}

func (s *serverFlags) check() error {
	if s.uiPort > 0 && s.uiPort == s.grpcPort && !s.noUI {
		return inputError{fmt.Errorf("--ui-port %d: want another port than --grpc-port", s.uiPort)}
	}
	return nil
}

// A number is the value of a flag that takes a whole number from a range. A flag
// that is not given leaves what is there, also a 0 that stands for the default.
type number struct {
	at          *int
	least, most int
}

func atLeast1(at *int) number { return number{at, 1, math.MaxInt} }

func (n number) Set(s string) error {
	v, err := strconv.Atoi(s)
	switch {
	case err == nil && v >= n.least && v <= n.most:
		*n.at = v
		return nil
	case n.most == math.MaxInt:
		return fmt.Errorf("want %d or more", n.least)
	}
	return fmt.Errorf("want %d to %d", n.least, n.most)
}

func (n number) Type() string { return "int" }

func (n number) String() string {
	if n.at == nil { // as pflag asks for the zero value
		return "0"
	}
	return strconv.Itoa(*n.at)
}
