//go:build linux

// Package slurm_test runs sweep.sbatch on a real Slurm.
package slurm_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// programVar names the program sweep. Without it there is no test: make test-slurm sets it.
const programVar = "SWEEP_SLURM_TEST"

// steps of a run take longer than the minute in which Slurm sends the signal of the time limit and preempts.
// SWEEP_SLURM_STEPS sets fewer for slow machines.
var steps = cmp.Or(number(os.Getenv("SWEEP_SLURM_STEPS")), 40000)

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// grid has no checkpoints but those of workers that are told to end.
var grid = fmt.Sprintf(`
name: slurm
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: {k: [2, 4]}
train: {dict_size: 512, steps: %d, batch_size: 256, lr: 0.002, dead_feature_threshold: 10000}
run: {checkpoint: {every: 1h}}
`, steps)

// A site is a cluster with a server of sweep for its jobs: on another address than they run at, and with a store and
// keys that all share.
type site struct {
	*cluster
	program, script, store, keys, grid string
	dir                                string // the server's own
}

func newSite(t *testing.T) *site {
	t.Helper()
	program := os.Getenv(programVar)
	if program == "" {
		t.Skip("make test-slurm runs this")
	}
	for _, name := range []string{"munged", "slurmctld", "slurmd"} {
		if _, err := exec.LookPath("/usr/sbin/" + name); err != nil {
			t.Fatalf("%v: apt-get install slurm-wlm munge", err)
		}
	}
	script, err := filepath.Abs("sweep.sbatch")
	if err != nil {
		t.Fatal(err)
	}
	c := startCluster(t)
	s := &site{
		cluster: c, program: program, script: script, store: c.in("shared/store"), keys: c.in("shared/keys"),
		grid: c.in("grid.yaml"), dir: t.TempDir(),
	}
	if err := os.WriteFile(s.grid, []byte(grid), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// sweep runs the program as on a machine that shares the store and the keys alone.
func (s *site) sweep(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(s.program, args...)
	cmd.Env = append(os.Environ(), "SWEEP_STORE="+s.store, "TEMPORAL_CONFIG_FILE="+filepath.Join(s.keys, "temporal.toml"),
		"SWEEP_DIR="+t.TempDir())
	var notes strings.Builder
	cmd.Stderr = &notes
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, notes.String())
	}
	return string(out)
}

// serve runs the server of the site until the test ends.
func (s *site) serve(t *testing.T) {
	t.Helper()
	up := exec.Command(s.program, "up", "--no-train", "--listen", "127.0.0.2", "--client-keys", s.keys,
		"--dir", s.dir, "--store", s.store, "--no-ui", "--no-report")
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Process.Signal(syscall.SIGTERM); up.Wait() })
	until(t, "the server", func() bool {
		_, err := os.Stat(filepath.Join(s.keys, "temporal.toml"))
		return err == nil
	})
}

// submit submits sweep.sbatch with options of sbatch and arguments of the program, and returns the job's ID.
func (s *site) submit(t *testing.T, options, args []string) string {
	t.Helper()
	args = slices.Concat([]string{"--parsable", "--mem=0", "--cpus-per-task=1", "--output=" + s.in("job-%j.out")}, options,
		[]string{s.script}, args)
	cmd := s.command("sbatch", args...)
	cmd.Env = append(cmd.Env, "SWEEP_PROGRAM="+s.program, "SWEEP_STORE="+s.store, "SWEEP_DIR="+s.in("none"),
		"TEMPORAL_CONFIG_FILE="+filepath.Join(s.keys, "temporal.toml"), "XDG_CACHE_HOME="+s.in("cache"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sbatch %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// tasks waits until both jobs of an array of two run, and returns their IDs. In commands these are ARRAY_TASK, since
// one of their numbers is that of the array too, and stands for both.
func (s *site) tasks(t *testing.T, array string) []string {
	t.Helper()
	until(t, "two tasks of job "+array, func() bool {
		return len(strings.Fields(s.run(t, "squeue", "-h", "-r", "-t", "R", "-j", array, "-o", "%A"))) == 2
	})
	return []string{array + "_1", array + "_2"}
}

// log is all that a job has written, over its restarts.
func (s *site) log(t *testing.T, id string) string {
	t.Helper()
	b, _ := os.ReadFile(s.in("job-" + s.job(t, id, "JobId") + ".out"))
	return string(b)
}

// began returns the steps at which attempts began in a job, in their order.
func (s *site) began(t *testing.T, id string) (steps []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(` from=(\d+) to=\d+ claim=`).FindAllStringSubmatch(s.log(t, id), -1) {
		steps = append(steps, m[1])
	}
	return steps
}

// models reads the weights of a store, by run.
func models(t *testing.T, store string) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob(filepath.Join(store, "models", "*", "sae.safetensors"))
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

// TestWorkers: workers are told to end by their time limit, are preempted and canceled, all in the midst of a run. Each
// time they save, and the run goes on with the very next step. What fails is not requeued, and what is idle ends.
func TestWorkers(t *testing.T) {
	s := newSite(t)
	s.serve(t)
	id := strings.TrimSpace(s.sweep(t, "submit", s.grid))
	worker := []string{"worker", "--slots", "1", "--idle-timeout", "30s"}

	// The script asks for its signal 420 seconds before the limit, which is at once: Slurm looks every half minute.
	array := s.submit(t, []string{"--array=1-2", "--time=7"}, worker)
	tasks := s.tasks(t, array)
	for _, task := range tasks {
		until(t, "the time limit of job "+task, func() bool { return s.job(t, task, "Restarts") == "1" })
	}
	for _, task := range tasks {
		log := s.log(t, task)
		if !strings.Contains(log, "the time limit is near") || !strings.Contains(log, "saved: requeueing") {
			t.Errorf("job %s:\n%s", task, log)
		}
	}
	for _, task := range tasks {
		s.run(t, "scontrol", "update", "JobId="+task, "TimeLimit=60")
	}
	for _, task := range tasks {
		until(t, "job "+task+" to go on", func() bool {
			if s.job(t, task, "JobState") == "COMPLETED" {
				t.Fatalf("job %s: %d steps were over before its time limit", task, steps)
			}
			return len(s.began(t, task)) == 2
		})
	}

	// One is preempted, the other one canceled. Slurm requeues the first, and no one the second.
	node := s.job(t, tasks[0], "NodeList")
	s.run(t, "sbatch", "--partition=high", "--nodelist="+node, "--gres=gpu:1", "--output=/dev/null", "--wrap=true")
	s.run(t, "scancel", tasks[1])
	until(t, "the preemption", func() bool { return s.job(t, tasks[0], "Restarts") == "2" })
	until(t, "the cancellation", func() bool { return s.job(t, tasks[1], "JobState") == "CANCELLED" })

	bad := s.submit(t, []string{"--time=5"}, append(worker, "--store", s.in("grid.yaml")))
	until(t, "a job that fails", func() bool { return s.job(t, bad, "JobState") == "FAILED" })
	if log := s.log(t, bad); s.job(t, bad, "Restarts") != "0" || !strings.Contains(log, "sbatch --exclude=n") {
		t.Errorf("a job that fails: %s restarts\n%s", s.job(t, bad, "Restarts"), log)
	}
	second := s.submit(t, []string{"--time=60"}, worker) // in the place of the one that was canceled
	for _, task := range []string{tasks[0], second} {
		until(t, "the end of job "+task, func() bool { return s.job(t, task, "JobState") == "COMPLETED" })
		if log := s.log(t, task); !strings.Contains(log, "nothing to train for 30s") {
			t.Errorf("job %s:\n%s", task, log)
		}
	}

	s.same(t, id)
	if n := s.everyStepOnce(t, slices.Concat(tasks, []string{second})...); n < 5 {
		t.Errorf("%d attempts at two runs: the jobs did not end in their midst", n)
	}
}

// same checks that a sweep has the results and the models of sweep run.
func (s *site) same(t *testing.T, id string) {
	t.Helper()
	dir := t.TempDir()
	run := exec.Command(s.program, "run", s.grid, "--dir", dir, "--store", filepath.Join(dir, "store"),
		"--no-ui", "--no-report")
	want, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := s.sweep(t, "results", id); got != string(want) {
		t.Errorf("results:\n%s\nsweep run:\n%s", got, want)
	}
	theirs, ours := models(t, s.store), models(t, filepath.Join(dir, "store"))
	if len(ours) != 2 || !maps.Equal(theirs, ours) {
		t.Errorf("%d models; they differ from those of sweep run, which are %d", len(theirs), len(ours))
	}
}

// everyStepOnce checks by the logs of jobs that attempts at each run begin where the one before has ended, and returns
// how many there were.
func (s *site) everyStepOnce(t *testing.T, jobs ...string) (attempts int) {
	t.Helper()
	line := regexp.MustCompile(`msg=trained .*folder=(\S+) .*from=(\d+) to=(\d+)`)
	trained := map[string][][2]int{} // by run: where attempts began and ended
	for _, id := range jobs {
		for _, m := range line.FindAllStringSubmatch(s.log(t, id), -1) {
			from, _ := strconv.Atoi(m[2])
			to, _ := strconv.Atoi(m[3])
			if from < to { // one that is told to end at its beginning trains nothing
				trained[m[1]] = append(trained[m[1]], [2]int{from, to})
			}
		}
	}
	for run, spans := range trained {
		slices.SortFunc(spans, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
		at := 0
		for _, span := range spans {
			if span[0] != at {
				t.Errorf("run %s: attempts trained steps %v", run, spans)
			}
			at = span[1]
		}
		if at != steps {
			t.Errorf("run %s ends at step %d of %d: %v", run, at, steps, spans)
		}
		attempts += len(spans)
		t.Logf("run %s: steps %v", run, spans)
	}
	if len(trained) != 2 {
		t.Errorf("%d runs in the logs; want 2", len(trained))
	}
	return attempts
}

// TestRun: a job that is server and worker in one saves at its time limit, is requeued, and goes on.
func TestRun(t *testing.T) {
	s := newSite(t)
	job := s.submit(t, []string{"--time=60", "--cpus-per-task=2"},
		[]string{"run", s.grid, "--dir", s.in("of-the-job"), "--store", s.store, "--no-ui", "--no-report"})
	progress := regexp.MustCompile(`[1-9]\d*/\d+ steps`)
	until(t, "steps", func() bool { return progress.MatchString(s.log(t, job)) })
	s.run(t, "scancel", "--batch", "--signal=USR1", job) // what Slurm sends at the time limit
	until(t, "a requeue", func() bool { return s.job(t, job, "Restarts") == "1" })
	until(t, "the end", func() bool { return s.job(t, job, "JobState") == "COMPLETED" })
	if log := s.log(t, job); !strings.Contains(log, "saved: requeueing") || !strings.Contains(log, "restart 1") {
		t.Errorf("the job:\n%s", log)
	}
	s.same(t, "slurm")
}
