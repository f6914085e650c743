package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/cmd/sweep/sweepbench"
	"github.com/topksweep/sweep/deploy/local"
)

// asMain in the environment makes the test binary the program itself, so that
// tests run real processes, and kill them.
const asMain = "SWEEP_TEST_AS_MAIN"

// renewVar in the environment is the time between two renewals of a claim, where a test needs it shorter. All programs
// on one store must have the same.
const renewVar = "SWEEP_TEST_RENEW"

func TestMain(m *testing.M) {
	if sweep := os.Getenv(asNeighbour); sweep != "" {
		attack(sweep, os.Args[1:])
		os.Exit(0)
	}
	if os.Getenv(asMain) != "" {
		os.Exit(asProgram())
	}
	// Tests that are parallel wait most of the time, for heartbeats that do not come: more of them than there are cores
	// may run. The flag on the command line counts.
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// asProgram is the program, with what the environment asks for besides. It returns the exit status.
func asProgram() int {
	var h hooks
	h.renew, _ = time.ParseDuration(os.Getenv(renewVar))
	probe, err := sweepbench.ProbeOf(os.Getenv)
	if err != nil {
		panic(err)
	}
	if probe == nil {
		return start(h)
	}
	h.backend, h.store = probe.Backend, probe.Store
	status := start(h)
	if err := probe.Write(); err != nil {
		panic(err)
	}
	return status
}

// testTimeout is far above what any step of a test takes.
const testTimeout = 4 * time.Minute

// A program is a process of sweep.
type program struct {
	*exec.Cmd
	out, err written
	done     chan error
}

// written is what a program has written so far.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *written) Bytes() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.b.Bytes())
}

func (w *written) String() string { return string(w.Bytes()) }
func (w *written) Len() int       { return len(w.Bytes()) }

// startProgram starts sweep with its state in dir. Arguments of the form SWEEP_NAME=VALUE and LD_LIBRARY_PATH=VALUE are
// not arguments of it but variables.
func startProgram(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	return variables{}.start(t, dir, args...)
}

// variables are environment variables of programs, as NAME=VALUE. Tests that run beside each other use them instead of
// t.Setenv.
type variables []string

// start starts sweep with its state in dir.
func (v variables) start(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var verb, env []string
	for _, arg := range args {
		if strings.HasPrefix(arg, "SWEEP_") || strings.HasPrefix(arg, "LD_LIBRARY_PATH=") {
			env = append(env, arg)
		} else {
			verb = append(verb, arg)
		}
	}
	p := &program{Cmd: exec.Command(exe, verb...), done: make(chan error, 1)}
	p.Stdout, p.Stderr = &p.out, &p.err
	for _, e := range os.Environ() {
		isOurs := strings.HasPrefix(e, "SWEEP_DIR=") || strings.HasPrefix(e, "SWEEP_STORE=")
		if !isOurs && !strings.HasPrefix(e, "TEMPORAL_") {
			p.Env = append(p.Env, e)
		}
	}
	p.Env = append(p.Env, asMain+"=1", "SWEEP_DIR="+dir, "XDG_CACHE_HOME="+t.TempDir())
	p.Env = append(append(p.Env, v...), env...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	go func() { p.done <- p.Wait() }()
	return p
}

// exitStatus waits for the program to end and returns its exit status.
func (p *program) exitStatus(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
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

// terminate asks the program to stop, which it must do well.
func (p *program) terminate(t *testing.T) {
	t.Helper()
	p.Process.Signal(syscall.SIGTERM)
	if status := p.exitStatus(t); status != exitOK {
		t.Errorf("%v told to stop: status %d\n%s", p.Args[1:], status, p.err.String())
	}
}

// mustRun runs sweep to its end, which must be good, and returns its output.
func mustRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return variables{}.run(t, dir, args...)
}

// run is mustRun.
func (v variables) run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	p := v.start(t, dir, args...)
	if status := p.exitStatus(t); status != exitOK {
		t.Fatalf("%v: exit status %d\n%s", args, status, p.err.String())
	}
	return p.out.String()
}

// waitFor polls for something that another process brings about.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
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

// waitForFile waits until a file is there.
func waitForFile(t *testing.T, name string) {
	t.Helper()
	waitFor(t, name, func() bool { _, err := os.Stat(name); return err == nil })
}

// startServer starts sweep up on dir and waits until its server answers.
func startServer(t *testing.T, dir string, args ...string) (*program, local.Info) {
	t.Helper()
	return variables{}.server(t, dir, args...)
}

// server is startServer.
func (v variables) server(t *testing.T, dir string, args ...string) (*program, local.Info) {
	t.Helper()
	p := v.start(t, dir, append([]string{"up", "--no-ui"}, args...)...)
	var info local.Info
	waitFor(t, "the server", func() (running bool) {
		if len(p.done) > 0 {
			t.Fatalf("%v has ended:\n%s", p.Args[1:], p.err.String())
		}
		var err error
		info, running, err = local.Running(dir)
		return err == nil && running && info.HostPort != ""
	})
	return p, info
}

// dialServer connects to the server that runs on a state directory. The connection is closed at the end of the test.
func dialServer(t *testing.T, info local.Info) client.Client {
	t.Helper()
	keys, err := info.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.DialContext(t.Context(), embeddedOptions(info.HostPort, info.Namespace, keys))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// statusOfSweep runs sweep status.
func statusOfSweep(t *testing.T, dir, name string) (s sweepState) {
	t.Helper()
	if err := json.Unmarshal([]byte(mustRun(t, dir, "status", name, "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// training counts the runs that are seen in training.
func training(s sweepState) (n int) {
	for _, r := range s.Runs {
		if r.Beat != nil && r.Beat.Step > 0 {
			n++
		}
	}
	return n
}

// countManifests counts the checkpoints in the store under dir.
func countManifests(t *testing.T, dir string) int {
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

// readModels reads the exported weights under dir, by run.
func readModels(t *testing.T, dir string) map[string]string {
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
