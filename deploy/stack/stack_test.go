//go:build unix

// Package stack starts the programs of docker-compose.yml without containers: a real
// PostgreSQL, the Temporal server with its schema, MinIO with a bucket, and workers, all
// on the loopback interface. Its tests show that they work together, and that no run is
// lost when any of them is killed. up.sh starts the stack for a person and keeps it
// running.
package stack_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/minio/miniotest"
	"github.com/topksweep/sweep/sweep/export"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

const bucket = "sweep"

// A stack is a set of running servers.
type stack struct {
	dir      string // logs, and the servers' data
	secrets  secrets
	bin      programs
	temporal *temporalServer
	minio    *miniotest.Server
}

// TestStack starts the stack once for all tests that need it.
func TestStack(t *testing.T) {
	s := start(t)
	t.Run("Attributes", s.test(testAttributes))
	t.Run("Same", s.test(testSame))
	t.Run("WorkerStop", s.test(testWorkerStop))
	t.Run("Unfit", s.test(testUnfit))
	t.Run("NoneFit", s.test(testNoneFit))
	t.Run("Steer", s.test(testSteer))
	t.Run("Fair", s.test(testFair))
	t.Run("Pause", s.test(testPause))
	t.Run("Zombie", s.test(testZombie))
	t.Run("Chaos", s.test(testChaos))
}

// test returns a test that begins when no sweep runs.
func (s *stack) test(test func(*testing.T, *stack)) func(*testing.T) {
	return func(t *testing.T) {
		s.endSweeps(t)
		test(t, s)
	}
}

// endSweeps ends the sweeps that the test before has left running, as it failed or did not wait for their end: the
// workers of this test have another store, and three stages that they must refuse would make them give up.
func (s *stack) endSweeps(t *testing.T) {
	t.Helper()
	c := s.temporal.dial(t)
	defer c.Close()
	running := &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, Query: "ExecutionStatus = 'Running'"}
	until(t, "end of all sweeps", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		all, err := c.ListWorkflow(ctx, running)
		for _, w := range all.GetExecutions() {
			// An error is met again: the server lists the sweep until it has ended.
			_ = c.TerminateWorkflow(ctx, w.GetExecution().GetWorkflowId(), "", "the test is over")
		}
		return err == nil && len(all.GetExecutions()) == 0
	})
}

// start starts the stack. It is stopped at the end of the test.
func start(t *testing.T) *stack {
	t.Helper()
	s := &stack{dir: t.TempDir(), bin: findPrograms(t), secrets: makeSecrets(t)}
	t.Cleanup(func() { s.showLogs(t) })
	s.minio = s.secrets.startMinIO(t)
	password := s.secrets.file("database/password")
	s.temporal = startTemporal(t, s.dir, s.bin, startPostgres(t, s.dir, s.bin, password), password)
	return s
}

// s3 returns the environment variables with the address of MinIO and its credentials.
func (s *stack) s3() []string {
	return []string{
		"AWS_ENDPOINT_URL_S3=" + s.minio.Endpoint, "AWS_REGION=us-east-1",
		"AWS_SHARED_CREDENTIALS_FILE=" + s.secrets.file("store/credentials"),
	}
}

// env returns the environment of a program that uses the stack, with extra variables.
func (s *stack) env(extra ...string) []string {
	return environment(append(append(s.s3(), "SWEEP_DIR="+filepath.Join(s.dir, "state")), extra...)...)
}

// url returns the store of one test, which is a prefix in the bucket.
func url(prefix string) string { return "s3://" + bucket + "/" + prefix }

// startWorker starts a worker process with one slot.
func (s *stack) startWorker(t *testing.T, name, prefix string) *process {
	t.Helper()
	cmd := exec.Command(s.bin.worker, "worker", "--address", s.temporal.address, "--store", url(prefix), "--slots", "1")
	cmd.Env = s.env("GOMAXPROCS=1")
	return startProcess(t, s.dir, name, cmd)
}

// startGC starts a garbage collection without a grace period.
func (s *stack) startGC(t *testing.T, prefix string) *process {
	t.Helper()
	cmd := exec.Command(s.bin.worker, "gc", "--store", url(prefix), "--grace", "0s")
	cmd.Env = s.env()
	return startProcess(t, s.dir, "gc", cmd)
}

// sweep runs a command of the program with the stack's store, and returns its output.
func (s *stack) sweep(t *testing.T, prefix string, args ...string) string {
	t.Helper()
	cmd := exec.Command(s.bin.worker, append(args, "--store", url(prefix))...)
	cmd.Env = s.env()
	return output(t, cmd)
}

// store opens a test's store. Its calls fail at once during an outage.
func (s *stack) store(t *testing.T, prefix string) storage.Store {
	t.Helper()
	return s.secrets.open(t, s.minio, prefix)
}

// undisturbed runs a grid with sweep run: one process that contains everything, with its
// store in a folder. It returns the table that it prints, and the folder.
func (s *stack) undisturbed(t *testing.T, grid string) (table, dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command(s.bin.sweep, "run", grid, "--no-ui", "--slots", "2", "--dir", dir)
	cmd.Env = environment()
	return output(t, cmd), filepath.Join(dir, "store")
}

// showLogs shows the end of every program's log if the test failed.
func (s *stack) showLogs(t *testing.T) {
	if !t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(s.dir, "*.log"))
	for _, name := range logs {
		b, err := os.ReadFile(name)
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		t.Logf("%s: %v\n%s", filepath.Base(name), err, strings.Join(lines[max(0, len(lines)-20):], "\n"))
	}
}

// writeGrid writes a grid to a file and returns its path.
func writeGrid(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "grid.yaml")
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// writeModel writes a model that cells of gridOf may begin from to a folder beside a grid, and returns its path.
func writeModel(t *testing.T, grid, name string, seed int64) string {
	t.Helper()
	c := trainer.Config{Recipe: "corrected", ActivationDim: 32, DictSize: 512, Seed: seed}
	m := &models.Model{ActivationDim: c.ActivationDim, DictSize: c.DictSize, K: 4, W: trainer.Init(c).W}
	for i := range m.W.BDec {
		m.W.BDec[i] = 0.01 * float32(i)
	}
	m.Normalize()
	files, err := models.Files(m, models.Sparsify)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(filepath.Dir(grid), name)
	if _, err := export.WriteFolder(t.Context(), folder, files, false); err != nil {
		t.Fatal(err)
	}
	return folder
}

// interruptedSteps are the steps of a run whose worker is stopped after its first
// checkpoint. Two thousand of them take about a second, and checkpoints come a second
// apart. So the worker trains for several seconds more: time for the test to see that
// checkpoint, even if its upload takes long.
const interruptedSteps = 12000

// gridOf returns a grid for runs of some steps, of which two thousand take about a
// second. Latents die in them, and checkpoints are as frequent as a grid may ask for.
func gridOf(name, parameters string, steps int) string {
	return fmt.Sprintf(`
name: %s
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: %s
train: {dict_size: 512, steps: %d, batch_size: 256, lr: 0.002, dead_feature_threshold: 10000}
run: {max_concurrent: 64, checkpoint: {every: 1s}}
`, name, parameters, steps)
}

// testSame: two workers on the stack give the same table as one process, byte for byte.
func testSame(t *testing.T, s *stack) {
	grid := writeGrid(t, gridOf("same", "{k: [2, 4], auxk_alpha: [0, 0.03125]}", 800))
	want, local := s.undisturbed(t, grid)
	if strings.Count(want, "completed") != 4 {
		t.Fatalf("sweep run:\n%s", want)
	}
	workers := []*process{s.startWorker(t, "same-0", "same"), s.startWorker(t, "same-1", "same")}
	got := s.sweep(t, "same", "submit", grid, "--wait", "--address", s.temporal.address)
	if got != want {
		t.Errorf("submit --wait on the stack:\n%s\nrun:\n%s", got, want)
	}
	sameOutcome(t, s.store(t, "same"), local)
	s.temporal.finds(t, namespace, "SweepName = 'same' AND SweepCells = 4 AND SweepData = 'synthetic'"+
		" AND SweepAxes = 'k' AND SweepAxes = 'k=4' AND SweepAxes = 'auxk_alpha=0.03125'", 1)
	s.temporal.finds(t, namespace, "SweepName = 'same' AND SweepAxes = 'k=8'", 0)
	for _, w := range workers {
		if !w.stop(t) {
			t.Errorf("%s after SIGTERM: %v", w.name, w.cmd.ProcessState)
		}
	}
}
