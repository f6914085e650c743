package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/topksweep/sweep/storage"
)

// asMain in the environment makes the test binary the program itself, so that
// tests run real processes, and kill them.
const asMain = "SWEEP_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// limit is far above what any step of a test takes.
const limit = 4 * time.Minute

// A process is the program running.
type process struct {
	*exec.Cmd
	out, err bytes.Buffer
	done     chan error
}

// begin starts the program with its state in dir.
func begin(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(exe, args...), done: make(chan error, 1)}
	p.Stdout, p.Stderr = &p.out, &p.err
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TEMPORAL_") && !strings.HasPrefix(e, "SWEEP_DIR=") && !strings.HasPrefix(e, "SWEEP_STORE=") {
			p.Env = append(p.Env, e)
		}
	}
	p.Env = append(p.Env, asMain+"=1", "SWEEP_DIR="+dir)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	go func() { p.done <- p.Wait() }()
	return p
}

// end waits for the program and returns its exit status.
func (p *process) end(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	select {
	case err := <-p.done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return p.ProcessState.ExitCode()
	case <-ctx.Done():
		p.Process.Signal(syscall.SIGQUIT)
		<-p.done
		t.Fatalf("%v: not done in time\n%s", p.Args[1:], p.err.String())
		return -1
	}
}

// ok runs the program to its end, which must be good, and returns its output.
func ok(t *testing.T, dir string, args ...string) string {
	t.Helper()
	p := begin(t, dir, args...)
	if status := p.end(t); status != 0 {
		t.Fatalf("%v: exit status %d\n%s", args, status, p.err.String())
	}
	return p.out.String()
}

func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "grid.yaml")
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// until polls for something that another process brings about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("never came: %s", what)
		case <-tick.C:
		}
	}
}

// manifests counts the checkpoints in the store under dir.
func manifests(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	filepath.WalkDir(filepath.Join(dir, "store", "stages"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Base(filepath.Dir(path)) == "manifests" {
			n++
		}
		return nil
	})
	return n
}

// models reads the exported weights under dir, by run.
func models(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "store", "models", "*", "sae.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(filepath.Dir(f))] = string(b)
	}
	return out
}

func TestWiring(t *testing.T) {
	if _, err := openStore(t.Context(), "gopher://hole"); err == nil || !strings.Contains(err.Error(), "gopher") {
		t.Errorf("unknown scheme: %v", err)
	}
	for _, url := range []string{t.TempDir(), "file://" + t.TempDir()} {
		s, err := openStore(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if err := storage.PutBytes(t.Context(), s, "a/b", []byte("x")); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := backendFor("tpu"); err == nil {
		t.Error("backend tpu exists")
	}
}

// Only an error that comes of the interrupt is one.
func TestInterrupted(t *testing.T) {
	calm := t.Context()
	ctx, cancel := context.WithCancelCause(calm)
	cancel(errInterrupted)
	for _, x := range []struct {
		ctx  context.Context
		err  error
		want bool
	}{
		{ctx, errInterrupted, true},
		{ctx, fmt.Errorf("put x: %w", context.Canceled), true},
		{ctx, fmt.Errorf("failed reaching server: %w", serviceerror.NewCanceled("context canceled")), true},
		{ctx, errors.New("the disk is full"), false},
		{calm, fmt.Errorf("put x: %w", context.Canceled), false},
		{calm, serviceerror.NewCanceled("by the server"), false},
	} {
		if got := interrupted(x.ctx, x.err); got != x.want {
			t.Errorf("%v after %v: %t", x.err, context.Cause(x.ctx), got)
		}
	}
}

// A verb whose output gets lost has failed, whichever it is.
func TestOutputLost(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"version", "-o", "json"}, {"help"}, {"completion", "bash"}, {"list", "-o", "json", "--dir", t.TempDir()}} {
		var said bytes.Buffer
		a := &app{out: full{}, err: &said}
		if status := a.main(t.Context(), args); status != exitError || !strings.Contains(said.String(), "no room") {
			t.Errorf("%v: status %d\n%s", args, status, said.String())
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }
