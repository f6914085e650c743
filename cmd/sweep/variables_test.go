package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// A variable of the environment with a value that it cannot have ends the program at its start with status 2, and the
// message says what was meant.
func TestVariables(t *testing.T) {
	grid := writeGrid(t, `
name: words
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 2000, active: 2}}
parameters: {k: [2]}
train: {dict_size: 16, steps: 4, batch_size: 8}
`)
	file := grid // a file where a folder is wanted
	run := "run " + grid + " --no-ui --backend cpu"
	for _, c := range []struct{ variable, verb, want string }{
		{"SWEEP_CPU=avx_2", run, `SWEEP_CPU="avx_2": did you mean avx2?`},
		{"SWEEP_CPU=Portable", run, "did you mean portable?"},
		{"SWEEP_CPU=xyz", run, "want one of avx512vnni, avx512, avx2, neon, portable"},
		{"SWEEP_CPU=" + otherPath(), run, "this machine cannot run it"},
		{"SWEEP_CPU=avx3", "up --no-ui --backend cpu", "did you mean avx2?"},
		{"SWEEP_CPU=avx3", "worker --backend cpu --address 127.0.0.1:1", "did you mean avx2?"},
		{"SWEEP_CPU=avx3", "bench --time 1ms --backend cpu", "did you mean avx2?"},
		{"SWEEP_CPU=avx3", "plan " + grid + " --backend cpu", "did you mean avx2?"},
		{"SWEEP_S3_ADDRESSING=paht", run, `SWEEP_S3_ADDRESSING="paht": did you mean path?`},
		{"SWEEP_S3_CREATE_BUCKET=yes", run, `SWEEP_S3_CREATE_BUCKET="yes": want one of true, false`},
		{"SWEEP_S3_CREATE_BUCKET=True", run, "did you mean true?"},
		{"SWEEP_OWNER=a\tb", run, "SWEEP_OWNER="},
		{"SWEEP_STORE=ftp://host/a", run, "scheme ftp is unknown"},
		{"SWEEP_STORE=" + file, run, "it is a file, and not a folder"},
		{"SWEEP_STORE=" + file + "/store", run, "a folder on the way to it is a file"},
		{"SWEEP_DIR=" + file, run, "a folder on the way to it is a file"},
	} {
		t.Run(c.variable+" "+strings.Fields(c.verb)[0], func(t *testing.T) {
			cmd := exec.Command(os.Args[0], strings.Fields(c.verb)...)
			cmd.Env = append(os.Environ(), asMain+"=1", "SWEEP_STORE=", "SWEEP_DIR="+t.TempDir(), c.variable)
			out, _ := cmd.CombinedOutput()
			if status := cmd.ProcessState.ExitCode(); status != exitBadInput || !strings.Contains(string(out), c.want) {
				t.Errorf("status %d, want %d\n%s\nwant %q", status, exitBadInput, out, c.want)
			}
		})
	}
}

// otherPath returns an instruction path that this machine cannot run.
func otherPath() string {
	if runtime.GOARCH == "arm64" {
		return "avx2"
	}
	return "neon"
}
