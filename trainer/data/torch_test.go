package data

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// torchFiles is Python that saves the same rows in many ways, each in a folder of its own.
const torchFiles = `
import os, sys, torch
from safetensors.torch import save_file
x = torch.arange(300 * 16).reshape(300, 16) % 7 - 3.0
named = {"acts": x, "mask": torch.ones(300), "layer": 3, "text": "resid", "none": None, "empty": []}
for name, saved in {
    "tensor": x, "cube": x.reshape(10, 30, 16), "parameter": torch.nn.Parameter(x), "transposed": x.T.contiguous().T,
    "bf16": x.bfloat16(), "f16": x.half(), "f64": x.double(), "f8": x.to(torch.float8_e4m3fn), "int": x.long(),
    "dict": named, "nested": {"a": {"layer.3": x, "layer.4": x}, "tokens": torch.zeros(400, dtype=torch.long)},
    "list": [x[:100], x[100:]], "tuple": (x[:100], x[100:]), "rows": list(x),
    "ragged": [x[:100].reshape(1, 100, 16), x[100:].reshape(1, 200, 16)],
    "dict of lists": {"acts": [x[:100], x[100:]], "tokens": [[1, 2], [3]]},
    "list of dicts": [{"acts": x[:100], "step": 1}, {"acts": x[100:], "step": 2}],
}.items():
    os.mkdir(os.path.join(sys.argv[1], name))
    torch.save(saved, os.path.join(sys.argv[1], name, "a.pt"))
for name, saved in {
    "shard of bf16": {"resid": x.bfloat16().reshape(10, 30, 16), "other": x[:100].bfloat16()},
    "shard of f8": {"activations": x.to(torch.float8_e4m3fn)}, "shard of ints": {"activations": x.long()},
}.items():
    os.mkdir(os.path.join(sys.argv[1], name))
    save_file(saved, os.path.join(sys.argv[1], name, "a.safetensors"))
`

// The lines of Python with which files of torch are refused make shards of them, however the rows were saved. The
// interpreter is that of SWEEP_TEST_PYTHON, if it has torch and safetensors.
func TestTorchLines(t *testing.T) {
	python := os.Getenv("SWEEP_TEST_PYTHON")
	if python == "" || exec.CommandContext(t.Context(), python, "-c", "import torch, safetensors").Run() != nil {
		t.Skip("SWEEP_TEST_PYTHON names no interpreter with torch and safetensors")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), python, append([]string{"-c"}, args...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run(torchFiles, dir)
	folders, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(folders) < 20 {
		t.Fatal(folders, err)
	}
	var program []string
	for _, folder := range folders {
		_, err := Open(t.Context(), trainer.DataSpec{Source: folder}, Options{})
		if err == nil {
			t.Fatalf("%s opens as it is", folder)
		}
		_, lines, found := strings.Cut(err.Error(), "in Python:\n  ")
		first, second, ok := strings.Cut(lines, "\n  ")
		if !found || !ok {
			t.Fatalf("%s: %v", folder, err)
		}
		program = append(program, first, second)
	}
	run(strings.Join(program, "\n"))
	for _, folder := range folders {
		set, err := Open(t.Context(), trainer.DataSpec{Source: folder}, Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		x := make([]float32, 300*16)
		if info := set.Info(); info.Rows != 300 || info.Dim != 16 {
			t.Errorf("%s: %d rows of %d", folder, info.Rows, info.Dim)
		} else if err := readRows(set, 0, x); err != nil {
			t.Error(err)
		}
		for i, v := range x {
			if v != float32(i%7-3) {
				t.Fatalf("%s: element %d is %g", folder, i, v)
			}
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
}
