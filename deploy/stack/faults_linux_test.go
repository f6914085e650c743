//go:build linux

package stack_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ownView is a path that each process resolves in its own working directory. So data are there for some workers and not
// for others.
const ownView = "/proc/self/cwd/acts"

// faultsGrid returns a grid of 12 cells on the data at ownView.
func faultsGrid(name string) string {
	return fmt.Sprintf(`
name: %s
data: {source: %s, normalize: mean_square}
parameters: {k: [2, 4], lr: [0.001, 0.002, 0.004], seed: [0, 1]}
train: {dict_size: 256, steps: 1000, batch_size: 128}
run: {max_concurrent: 64, checkpoint: {every: 1s}}
`, name, ownView)
}

// A site is what one machine has: its working directory, with data at ownView or without.
type site struct {
	*stack
	dir string
}

func (s *stack) siteWithData(t *testing.T) site {
	t.Helper()
	at := site{s, t.TempDir()}
	acts, err := filepath.Abs(filepath.Join(root, "trainer", "data", "testdata", "minilm-l3"))
	if err == nil {
		err = os.Symlink(acts, filepath.Join(at.dir, "acts"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// command returns a command of the program at the site, with a store of the stack.
func (s site) command(prefix string, args ...string) *exec.Cmd {
	cmd := exec.Command(s.bin.worker, append(args, "--store", url(prefix))...)
	cmd.Dir, cmd.Env = s.dir, s.env("GOMAXPROCS=1")
	return cmd
}

// worker starts a worker at the site.
func (s site) worker(t *testing.T, name, prefix, slots string) *process {
	t.Helper()
	return startProcess(t, s.stack.dir, name,
		s.command(prefix, "worker", "--backend", "cpu", "--address", s.temporal.address, "--slots", slots))
}

// submit submits a grid at the site and returns the sweep's ID.
func (s site) submit(t *testing.T, prefix, grid string) string {
	t.Helper()
	return strings.TrimSpace(output(t, s.command(prefix, "submit", grid, "--backend", "cpu", "--address",
		s.temporal.address)))
}

// undisturbed runs a grid at the site with sweep run. It returns the table, and the folder of the store.
func (s site) undisturbed(t *testing.T, grid string) (table, dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command(s.bin.sweep, "run", grid, "--backend", "cpu", "--no-ui", "--slots", "2", "--dir", dir)
	cmd.Dir, cmd.Env = s.dir, environment()
	return output(t, cmd), filepath.Join(dir, "store")
}

// wantUnfit waits until a worker has ended by itself, with status 1 and a reason.
func wantUnfit(t *testing.T, w *process, reason string) {
	t.Helper()
	until(t, w.name+" to end", w.ended)
	if code := w.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("%s ended with status %d, want 1", w.name, code)
	}
	for _, text := range []string{"this worker takes no more work: it refused 3 activities in a row", reason} {
		if !w.logged(text) {
			t.Errorf("the log of %s lacks %q", w.name, text)
		}
	}
}

// testUnfit: beside a good worker, one does not see the data, and one has another store. They take most of the stages
// first. No cell fails for that, and the two end and say why.
func testUnfit(t *testing.T, s *stack) {
	const prefix = "unfit"
	good, bad := s.siteWithData(t), site{s, t.TempDir()}
	grid := writeGrid(t, faultsGrid("unfit"))
	want, local := good.undisturbed(t, grid)
	if strings.Count(want, "completed") != 12 {
		t.Fatalf("the undisturbed sweep:\n%s", want)
	}
	able := good.worker(t, "unfit-able", prefix, "1")
	blind := bad.worker(t, "unfit-blind", prefix, "4")
	astray := good.worker(t, "unfit-astray", prefix+"-other", "4")
	id := good.submit(t, prefix, grid)
	s.await(t, id)
	wantUnfit(t, blind, "data "+ownView+": no such file or directory")
	wantUnfit(t, astray, "this worker's store does not hold the plan of "+id)
	if got := s.sweep(t, prefix, "results", id); got != want {
		t.Errorf("results:\n%s\nundisturbed:\n%s", got, want)
	}
	sameOutcome(t, s.store(t, prefix), local)
	if !able.stop(t) {
		t.Errorf("%s after SIGTERM: %v", able.name, able.cmd.ProcessState)
	}
}

// testNoneFit: two workers do not see the data, and there is no other. The cells wait, with the reason, and a worker
// that comes later trains them all.
func testNoneFit(t *testing.T, s *stack) {
	const prefix = "none-fit"
	good, bad := s.siteWithData(t), site{s, t.TempDir()}
	grid := writeGrid(t, faultsGrid("none-fit"))
	want, local := good.undisturbed(t, grid)
	blind := []*process{bad.worker(t, "none-fit-0", prefix, "1"), bad.worker(t, "none-fit-1", prefix, "1")}
	id := good.submit(t, prefix, grid)
	status := func() string {
		return s.sweep(t, prefix, "status", id, "--address", s.temporal.address)
	}
	until(t, "a refusal in the status", func() bool { return strings.Contains(status(), "refused by ") })
	until(t, "a worker that takes no more work", func() bool { return blind[0].ended() || blind[1].ended() })
	if text := status(); strings.Contains(text, "failed") || !strings.Contains(text, "0 of 12 runs done") ||
		!strings.Contains(text, "waits for another worker") {
		t.Errorf("while no worker can train the sweep:\n%s", text)
	}
	able := good.worker(t, "none-fit-able", prefix, "2")
	s.await(t, id)
	if got := s.sweep(t, prefix, "results", id); got != want {
		t.Errorf("results:\n%s\nundisturbed:\n%s", got, want)
	}
	sameOutcome(t, s.store(t, prefix), local)
	able.stop(t)
	for _, w := range blind {
		w.kill()
	}
}
