package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The fingerprint that data inspect prints as data is that of the plan, and so of the
// results.
func TestInspectAgainstPlan(t *testing.T) {
	shard := filepath.Join(t.TempDir(), "a.npy")
	if err := os.WriteFile(shard, npy(40, 8, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	var header struct {
		Info struct{ Fingerprint string } `json:"data_info"`
	}
	g := writeGrid(t, gridWith("data: {source: "+shard+", normalize: mean_square, eval_tokens: 7}"))
	if err := json.Unmarshal([]byte(mustRun(t, t.TempDir(), "plan", g, "-o", "json")), &header); err != nil {
		t.Fatal(err)
	}
	inspect := func(args ...string) string {
		var r struct{ Content, Data string }
		out := mustRun(t, t.TempDir(), append([]string{"data", "inspect", shard, "-o", "json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &r); err != nil || r.Content == "" || r.Content == r.Data {
			t.Fatalf("%v in %s", err, out)
		}
		return r.Data
	}
	if got := inspect("--normalize", "mean_square", "--eval-tokens", "7"); got != header.Info.Fingerprint {
		t.Errorf("data is %s, planned %s", got, header.Info.Fingerprint)
	}
	if got := inspect(); got == header.Info.Fingerprint {
		t.Errorf("data is %s without normalize and eval_tokens too", got)
	}
}
