package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// TestPlaces checks where a sweep that has ended says that its models are: in a bucket, which is not asked, and in a
// folder.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	for _, run := range []string{"aaa", "bbb"} {
		if err := os.MkdirAll(filepath.Join(dir, "models", run), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	all := "  (a folder for each run: column model_path)"
	for _, c := range []struct {
		store string
		runs  []string
		want  string
	}{
		{"s3://bucket", []string{"aaa", "bbb"}, "s3://bucket/models" + all},
		{"s3://bucket/", []string{"aaa", "bbb"}, "s3://bucket/models" + all},
		{"s3://bucket/some/prefix", []string{"aaa", "bbb"}, "s3://bucket/some/prefix/models" + all},
		{"s3://bucket/prefix", []string{"aaa"}, "s3://bucket/prefix/models/aaa"},
		{dir, []string{"aaa", "bbb"}, filepath.Join(dir, "models") + all},
		{"file://" + dir, []string{"bbb"}, filepath.Join(dir, "models", "bbb")},
	} {
		var out bytes.Buffer
		results := []ledger.Result{{Run: "ccc", Status: plan.Failed}}
		for _, run := range c.runs {
			results = append(results, ledger.Result{Run: run, Status: plan.Completed})
		}
		tellPlaces(&environment{errOut: &out}, location{store: c.store}, &plan.Header{ID: "demo-1"}, results)
		if want := "models  " + c.want + "\n"; !strings.Contains(out.String(), want) {
			t.Errorf("%s, runs %v: want %q in\n%s", c.store, c.runs, want, out.String())
		}
	}
}
