package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The lines of Python in docs/results.md make their figures from one Parquet file, and they are five at most. The
// interpreter is that of the environment variable SWEEP_TEST_PYTHON; it has pandas, pyarrow and matplotlib.
func TestPythonFigures(t *testing.T) {
	doc, err := os.ReadFile("../../docs/results.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "<!-- python -->\n```python\n")
	program, _, found := strings.Cut(rest, "```\n<!-- /python -->")
	if n := strings.Count(program, "\n"); !found || n < 2 || n > 5 {
		t.Fatalf("%d lines of Python:\n%s", n, program)
	}
	python := os.Getenv("SWEEP_TEST_PYTHON")
	if python == "" {
		t.Skip("SWEEP_TEST_PYTHON names no interpreter with pandas, pyarrow and matplotlib")
	}
	t.Setenv("SWEEP_CPU", "portable")
	dir, folder := t.TempDir(), t.TempDir()
	mustRun(t, dir, "run", writeGrid(t, seedsGrid), "--no-ui")
	mustRun(t, dir, "results", "seeds", "--out", filepath.Join(folder, "results.parquet"))
	c := exec.CommandContext(t.Context(), python, "-c", program)
	c.Dir = folder
	c.Env = append(os.Environ(), "MPLBACKEND=Agg", "MPLCONFIGDIR="+t.TempDir())
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	figures, err := filepath.Glob(filepath.Join(folder, "*.png"))
	if err != nil || len(figures) != 3 {
		t.Fatalf("%v, %v", figures, err)
	}
	for _, name := range []string{"dict_size.png", "k.png", "flops.png"} {
		figure := filepath.Join(folder, name)
		if info, err := os.Stat(figure); err != nil || info.Size() < 5000 {
			t.Errorf("%s: %v", figure, err)
		}
	}
}

// A program of the user with another SDK of Temporal, in Python, connects by the file that sweep up names, and finds
// the sweep that runs. Without the file it does not. The interpreter is that of SWEEP_TEST_PYTHON; it has temporalio.
func TestPythonProfile(t *testing.T) {
	python := os.Getenv("SWEEP_TEST_PYTHON")
	if python == "" {
		t.Skip("SWEEP_TEST_PYTHON names no interpreter with temporalio")
	}
	dir := t.TempDir()
	up, info := startServer(t, dir, "--slots", "1")
	profile := filepath.Join(dir, "temporal.toml")
	waitFor(t, "the line that names the file", func() bool {
		return strings.Contains(up.err.String(), "export TEMPORAL_CONFIG_FILE="+profile+"\n")
	})
	id := strings.TrimSpace(mustRun(t, dir, "submit",
		writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 1000000"))))
	// The SDK's own threads may abort an interpreter that ends in the ordinary way (temporalio/sdk-python, issue 300),
	// after the program has done all that it does: so it ends at once.
	const program = `
import asyncio, os, sys
from temporalio.client import Client
from temporalio.envconfig import ClientConfig

async def main():
    at = dict(ClientConfig.load_client_connect_config())
    at.setdefault("target_host", sys.argv[1])
    client = await Client.connect(**at)
    print((await client.get_workflow_handle(sys.argv[2]).describe()).status.name)

asyncio.run(main())
sys.stdout.flush()
os._exit(0)
`
	for file, want := range map[string]string{profile: "RUNNING\n", "": ""} {
		c := exec.CommandContext(t.Context(), python, "-c", program, info.HostPort, id)
		c.Env = append(os.Environ(), "TEMPORAL_CONFIG_FILE="+file, "HOME="+t.TempDir())
		var messages strings.Builder
		c.Stderr = &messages
		out, err := c.Output()
		if string(out) != want || (err == nil) != (want != "") {
			t.Errorf("with the file %q: %q, want %q; %v\n%s", file, out, want, err, messages.String())
		}
	}
	up.terminate(t)
}
