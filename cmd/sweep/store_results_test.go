package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/report"
)

// withoutTime returns the rows of results without what differs between two equal sweeps, such as times.
func withoutTime(t *testing.T, results []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(results)).ReadAll()
	if err != nil || len(rows) == 0 || !slices.Contains(rows[0], "wall_seconds") {
		t.Fatalf("results: %v\n%s", err, results)
	}
	varies := func(i int) bool { return report.Varies(rows[0][i]) }
	out := make([][]string, len(rows))
	for i, row := range rows {
		for j, text := range row {
			if !varies(j) {
				out[i] = append(out[i], text)
			}
		}
	}
	return out
}

// blank empties a column of results and returns what it held.
func blank(t *testing.T, rows [][]string, column string) (values []string) {
	t.Helper()
	i := slices.Index(rows[0], column)
	if i < 0 {
		t.Fatalf("no column %s", column)
	}
	for _, row := range rows[1:] {
		values = append(values, row[i])
		row[i] = ""
	}
	return values
}

// checkpointed lists the steps of the newest checkpoints of the interrupted
// sweep's runs.
func checkpointed(t *testing.T) (steps []string) {
	t.Helper()
	plans, err := filepath.Glob(store010 + "/store/sweeps/interrupted-*/cells-000000.json")
	if err != nil || len(plans) != 1 {
		t.Fatalf("%d plans, %v", len(plans), err)
	}
	cells, err := os.ReadFile(plans[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range regexp.MustCompile(`"id":"(\w+)"`).FindAllSubmatch(cells, -1) {
		manifests, err := filepath.Glob(store010 + "/store/stages/" + string(id[1]) + "/manifests/*")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(manifests); n > 0 {
			step, _, _ := strings.Cut(filepath.Base(manifests[n-1]), "-")
			steps = append(steps, strings.TrimLeft(step, "0"))
		}
	}
	if len(steps) != 2 {
		t.Fatalf("%d runs have checkpoints, want 2", len(steps))
	}
	return steps
}
