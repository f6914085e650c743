package main

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// Flags say how files hold rows: the same rows give the same metrics and fingerprint in whichever form.
func TestEvalOfForms(t *testing.T) {
	dir := t.TempDir()
	train, x := writeShard(t, 400, 8, 1)
	mustRun(t, dir, "run", writeGrid(t, gridWith("name: small", "data: {source: "+train+"}",
		"train: {dict_size: 32, steps: 4, batch_size: 64}")), "--no-ui", "--no-report")
	var numbers []byte
	for _, v := range x {
		numbers = binary.LittleEndian.AppendUint32(numbers, math.Float32bits(v))
	}
	shape := []int64{400, 8}
	size := int64(len(numbers))
	named, err := safetensors.EncodeHeader([]safetensors.Tensor{
		{Name: "layer.1", DType: "F32", Shape: shape, Begin: 0, End: size},
		{Name: "layer.2", DType: "F32", Shape: shape, Begin: size, End: 2 * size},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	named = append(append(named, make([]byte, len(numbers))...), numbers...)
	other := t.TempDir()
	for name, b := range map[string][]byte{"a.safetensors": named, "a.bin": append([]byte("head"), numbers...)} {
		if err := os.WriteFile(filepath.Join(other, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, want := evalRows(t, dir, "small", "--data", train)
	for _, args := range [][]string{
		{"--data", other, "--tensor", "layer.2"},
		{"--data", filepath.Join(other, "a.bin"), "--raw-dtype", "f32", "--raw-width", "8", "--raw-offset", "4"},
	} {
		if _, got := evalRows(t, dir, append([]string{"small"}, args...)...); got != want {
			t.Errorf("%v: %s\nwant %s", args, got, want)
		}
	}
	for want, args := range map[string][]string{
		"say which with data.tensor": {"--data", other},
		"no tensor has the name x":   {"--data", other, "--tensor", "x"},
		`dtype "" is not one of`:     {"--data", other, "--raw-width", "8"},
		"both tensor and raw":        {"--data", other, "--tensor", "x", "--raw-dtype", "f32", "--raw-width", "8"},
	} {
		status, _, messages := sweepVerb(t.Context(), dir, append([]string{"eval", "small"}, args...)...)
		if status != exitBadInput || !strings.Contains(messages, want) {
			t.Errorf("%v: status %d\n%s", args, status, messages)
		}
	}
	for _, verb := range [][]string{{"eval", "small"}, {"data", "inspect", other}} {
		out := mustRun(t, dir, append(append([]string{"__complete"}, verb...), "--raw-dtype", "")...)
		if !strings.HasPrefix(out, "f16\nbf16\nf32\nf64\n") {
			t.Errorf("%v completes %q", verb, out)
		}
	}
}
