package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/topksweep/sweep/sweep/protocol"
)

// manifest is what the tests read of a resource of Kubernetes, of a kustomization and of a patch in one.
type manifest struct {
	Kind     string `yaml:"kind"`
	Patch    string `yaml:"$patch"`
	Metadata struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Patches []struct {
		Patch string `yaml:"patch"`
	} `yaml:"patches"`
	Spec struct {
		Endpoints []struct {
			Relabelings []map[string]string `yaml:"relabelings"`
		} `yaml:"podMetricsEndpoints"`
		Template     podTemplate `yaml:"template"`
		JobTargetRef struct {
			Template podTemplate `yaml:"template"`
		} `yaml:"jobTargetRef"`
		Triggers []struct {
			Metadata map[string]string `yaml:"metadata"`
		} `yaml:"triggers"`
	} `yaml:"spec"`
}

type podTemplate struct {
	Spec pod `yaml:"spec"`
}

type pod struct {
	Grace      int64          `yaml:"terminationGracePeriodSeconds"`
	Token      *bool          `yaml:"automountServiceAccountToken"`
	Security   map[string]any `yaml:"securityContext"`
	Volumes    []any          `yaml:"volumes"`
	Containers []container    `yaml:"containers"`
}

type container struct {
	Image     string         `yaml:"image"`
	Args      []string       `yaml:"args"`
	Env       []any          `yaml:"env"`
	EnvFrom   []any          `yaml:"envFrom"`
	Security  map[string]any `yaml:"securityContext"`
	Resources any            `yaml:"resources"`
	Ports     []struct {
		Port int `yaml:"containerPort"`
	} `yaml:"ports"`
	Liveness  probe `yaml:"livenessProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Startup   probe `yaml:"startupProbe"`
	Mounts    []any `yaml:"volumeMounts"`
}

type probe struct {
	Get struct {
		Path string `yaml:"path"`
	} `yaml:"httpGet"`
}

// readManifests reads the resources of a file, in their order.
func readManifests(t *testing.T, name string) (all []manifest) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../deploy/kubernetes", name))
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	for {
		var m manifest
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, m)
	}
}

// Pods are as closed as the containers of Compose, run what the program has, and get the time that a worker takes to
// save.
func TestKubernetesManifests(t *testing.T) {
	workers, scaled, submit := readManifests(t, "base/workers.yaml")[0], readManifests(t, "autoscaled/scaledjob.yaml")[0],
		readManifests(t, "submit.yaml")[0]
	fixed, jobs := workers.Spec.Template.Spec, scaled.Spec.JobTargetRef.Template.Spec
	for name, p := range map[string]pod{"workers": fixed, "autoscaled": jobs, "submit": submit.Spec.Template.Spec} {
		if len(p.Containers) != 1 {
			t.Fatalf("%s: %d containers", name, len(p.Containers))
		}
		c := p.Containers[0]
		user := map[string]any{
			"runAsNonRoot": true, "runAsUser": uint64(10001), "runAsGroup": uint64(10001), "fsGroup": uint64(10001),
			"seccompProfile": map[string]any{"type": "RuntimeDefault"},
		}
		closed := map[string]any{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
			"capabilities": map[string]any{"drop": []any{"ALL"}},
		}
		if !reflect.DeepEqual(p.Security, user) || !reflect.DeepEqual(c.Security, closed) || p.Token == nil || *p.Token {
			t.Errorf("%s: %v, %v, token %v", name, p.Security, c.Security, p.Token)
		}
		verb, rest, err := newRootCommand(&environment{}).Find(c.Args)
		if err == nil {
			err = verb.ParseFlags(rest)
		}
		if err != nil {
			t.Errorf("%s: %v: %v", name, c.Args, err)
		}
		if name == "submit" {
			continue
		}
		if grace := time.Duration(p.Grace) * time.Second; grace < workerStopTimeout+time.Minute {
			t.Errorf("%s: %v to end, of which a worker takes %v", name, grace, workerStopTimeout)
		}
		if c.Readiness.Get.Path != "/readyz" || c.Liveness.Get.Path != "/healthz" || c.Startup.Get.Path != "/healthz" ||
			!strings.HasSuffix(verb.Flag("metrics-addr").Value.String(), ":"+strconv.Itoa(c.Ports[0].Port)) {
			t.Errorf("%s: probes of %+v, but %v", name, c, c.Args)
		}
	}

	// Both kinds of workers differ in that those of jobs end when they are idle.
	if idle := []string{"--idle-timeout", "15m"}; !reflect.DeepEqual(jobs.Containers[0].Args,
		append(fixed.Containers[0].Args, idle...)) {
		t.Errorf("%v and %v", fixed.Containers[0].Args, jobs.Containers[0].Args)
	}
	jobs.Containers[0].Args = fixed.Containers[0].Args
	if !reflect.DeepEqual(fixed, jobs) {
		t.Errorf("workers.yaml:\n%+v\nscaledjob.yaml:\n%+v", fixed, jobs)
	}
	// Nothing that is for a deployment is left beside the jobs: its PodDisruptionBudget would let none of them go.
	gone := map[[2]string]bool{}
	for _, p := range readManifests(t, "autoscaled/kustomization.yaml")[0].Patches {
		var m manifest
		if err := yaml.Unmarshal([]byte(p.Patch), &m); err != nil {
			t.Fatal(err)
		}
		gone[[2]string{m.Kind, m.Metadata.Name}] = m.Patch == "delete"
	}
	for _, m := range readManifests(t, "base/workers.yaml") {
		if !gone[[2]string{m.Kind, m.Metadata.Name}] {
			t.Errorf("autoscaled keeps the %s %s", m.Kind, m.Metadata.Name)
		}
	}
	queue := scaled.Spec.Triggers[0].Metadata
	if queue["taskQueue"] != protocol.TrainQueue("cuda") || queue["queueTypes"] != "activity" {
		t.Errorf("it counts what waits in %v", queue)
	}

	// The rules know workers by the name of the job.
	rules, err := os.ReadFile(filepath.Join(monitoringDir, "rules.yml"))
	if err != nil || !bytes.Contains(rules, []byte(`up{job="sweep"}`)) {
		t.Errorf("rules.yml: %v, or another job", err)
	}
	want := []map[string]string{{"targetLabel": "job", "replacement": "sweep"}}
	for _, e := range readManifests(t, "podmonitor.yaml")[0].Spec.Endpoints {
		if !reflect.DeepEqual(e.Relabelings, want) {
			t.Errorf("podmonitor.yaml: %v, want %v", e.Relabelings, want)
		}
	}
}

// Slurm's signal, which may come up to a minute early but not late, leaves the time that a worker takes to save.
func TestSlurmSignal(t *testing.T) {
	b, err := os.ReadFile("../../deploy/slurm/sweep.sbatch")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^#SBATCH --signal=B:USR1@(\d+)$`).FindSubmatch(b)
	if m == nil {
		t.Fatal("no signal")
	}
	if s, err := strconv.Atoi(string(m[1])); err != nil || time.Duration(s)*time.Second < workerStopTimeout+time.Minute {
		t.Errorf("%d s before the limit, %v; a worker takes %v", s, err, workerStopTimeout)
	}
}

// slurmScript runs sweep.sbatch with programs in the place of sweep, scontrol, sleep and date, which all know $script,
// its process. It returns its exit status and what it says.
func slurmScript(t *testing.T, programs map[string]string, args ...string) (status int, says string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const start = `export script=$$; exec bash ../../deploy/slurm/sweep.sbatch "$@"`
	c := exec.CommandContext(t.Context(), "bash", append([]string{"-c", start, "bash"}, args...)...)
	c.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "TMPDIR=" + dir, "SLURM_JOB_ID=7", "SLURMD_NODENAME=n1"}
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "tmp.*")); err != nil || len(left) > 0 {
		t.Errorf("%v: it leaves %v, %v", args, left, err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// The script of Slurm jobs ends with the status of its program, and with 1 where it is not requeued.
func TestSlurmScript(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Slurm is for Linux")
	}
	const (
		saves   = `trap "exit 0" TERM; kill -USR1 $script; while kill -0 $script; do :; done`
		args    = `echo "args $* in ${SWEEP_DIR:-none}"; [ -z "$SWEEP_DIR" ] || [ "$(stat -c %a "$SWEEP_DIR")" = 700 ]`
		atFirst = `[ -e $0.told ] || { touch $0.told; kill -$signal $script; }`
	)
	for name, c := range map[string]struct {
		programs map[string]string
		args     []string
		status   int
		says     string // a regular expression
	}{
		"a store": {map[string]string{"sweep": args}, []string{"worker", "--store", "s3://x"}, 0,
			"args worker --store s3://x in none"},
		"a store with =": {map[string]string{"sweep": args}, []string{"worker", "--store=s3://x"}, 0, "in none"},
		"no store":       {map[string]string{"sweep": args}, []string{"worker", "--stores"}, 1, "^SWEEP_STORE is not set"},
		"of its own":     {map[string]string{"sweep": args}, []string{"run", "g", "--store=x"}, 0, `in /\S*/tmp\.\w+\n`},
		"with its store": {map[string]string{"sweep": args}, []string{"run", "g"}, 0, "in none"},
		"its own folder": {map[string]string{"sweep": args}, []string{"run", "--store=x", "--dir", "d"}, 0, "in none"},
		"it fails":       {map[string]string{"sweep": "exit 3"}, []string{"list"}, 3, "ended with status 3"},
		"requeued": {map[string]string{"sweep": saves, "scontrol": `echo "args $*"`, "sleep": "exit"}, []string{"list"}, 0,
			"saved: requeueing 7\nargs requeue 7\n$"},
		"not requeued": {map[string]string{"sweep": saves, "scontrol": "exit 4", "sleep": "exit"}, []string{"list"}, 1,
			"does not requeue 7"},
		"told to end at once": {map[string]string{"sweep": "echo begins", "date": "signal=TERM;" + atFirst}, []string{"list"},
			143, "restart 0\n[^\n]*told to end: saving\n$"},
		"at its limit at once": {map[string]string{"sweep": "echo begins", "date": "signal=USR1;" + atFirst,
			"scontrol": "exit 4"}, []string{"list"}, 1, "requeueing 7\n[^\n]*does not requeue 7"},
	} {
		status, says := slurmScript(t, c.programs, c.args...)
		if status != c.status || !regexp.MustCompile(c.says).MatchString(says) {
			t.Errorf("%s: status %d, want %d and %s:\n%s", name, status, c.status, c.says, says)
		}
	}
}

// What ends a process together with the shell that started it may send SIGTERM twice: it saves all the same.
func TestToldTwiceToEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1", "--no-report")
	long := changed(t, smallGrid, "steps: 1500", "steps: 1000000", "every: 1s", "every: 1h")
	mustRun(t, dir, "submit", writeGrid(t, long))
	waitFor(t, "training", func() bool { return training(statusOfSweep(t, dir, "small")) > 0 })
	for range 2 {
		up.Process.Signal(syscall.SIGTERM)
		const told = "saving what is in training"
		waitFor(t, told, func() bool { return strings.Contains(up.err.String(), told) })
	}
	if status := up.exitStatus(t); status != exitOK || countManifests(t, dir) == 0 {
		t.Errorf("status %d, %d checkpoints\n%s", status, countManifests(t, dir), up.err.String())
	}
}
