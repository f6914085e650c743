package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// npyOf returns a shard of n rows of d numbers from 0.5 to 2; row gives a factor for each.
func npyOf(n, d int, row func(i int) float32) []byte {
	x := npy(n, d, 1)
	body := x[len(x)-4*n*d:]
	for i := range n * d {
		v := row(i/d) * (0.5 + float32(i*7919%13)/8)
		binary.LittleEndian.PutUint32(body[4*i:], math.Float32bits(v))
	}
	return x
}

// Rows of huge norms are told of by inspect, plan and the results, and can be left out.
func TestHugeRowsAreTold(t *testing.T) {
	shard := filepath.Join(t.TempDir(), "a.npy")
	rows := npyOf(1280, 8, func(i int) float32 {
		if i%128 == 3 {
			return 1000
		}
		return 1
	})
	if err := os.WriteFile(shard, rows, 0o644); err != nil {
		t.Fatal(err)
	}
	const note = "of the mean square"
	with := func(more string) string { return writeGrid(t, gridWith("data: {source: "+shard+more+"}")) }
	if out := mustRun(t, t.TempDir(), "plan", with("")); !strings.Contains(out, "warning: data: 100% "+note) {
		t.Errorf("plan: %s", out)
	}
	out := mustRun(t, t.TempDir(), "plan", with(", max_norm: 10x_median"))
	if strings.Contains(out, note) || !strings.Contains(out, "10 with a norm above") {
		t.Errorf("plan with max_norm: %s", out)
	}
	if out := mustRun(t, t.TempDir(), "data", "inspect", shard); !strings.Contains(out, "note") ||
		!strings.Contains(out, "median norm") || !strings.Contains(out, "of 128 held-out rows are training rows too") {
		t.Errorf("inspect: %s", out)
	}
	var r struct {
		LeftOut int64    `json:"rows_left_out"`
		Data    string   `json:"data"`
		Notes   []string `json:"notes"`
	}
	out = mustRun(t, t.TempDir(), "data", "inspect", shard, "--max-norm", "10x_median", "--verify", "sample", "-o", "json")
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.LeftOut != 10 || r.Notes != nil ||
		!strings.HasPrefix(r.Data, "sampled-") {
		t.Errorf("%+v, %v", r, err)
	}
}

// What verbs find out about data by reading all of it is kept in the user's cache folder.
func TestDataCache(t *testing.T) {
	dir, shard := t.TempDir(), filepath.Join(t.TempDir(), "a.npy")
	old := time.Unix(1700000000, 0)
	if err := errors.Join(os.WriteFile(shard, npy(40, 8, 1), 0o644), os.Chtimes(shard, old, old)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var out, messages bytes.Buffer
		env := &environment{out: &out, errOut: &messages, cache: filepath.Join(dir, "cache")}
		if status := execute(t.Context(), env, []string{"data", "inspect", shard}); status != 0 {
			t.Fatal(messages.String())
		}
		if names, err := os.ReadDir(env.cache); err != nil || len(names) != 1 {
			t.Errorf("the cache holds %v, %v", names, err)
		}
	}
}
