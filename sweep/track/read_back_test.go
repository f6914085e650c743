package track_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/sweep/track"
)

// python is an interpreter that has the packages of deploy/python-check/requirements.txt. make python-check sets it.
func python(t *testing.T) string {
	path := os.Getenv("SWEEP_TEST_PYTHON")
	if path == "" {
		t.Skip("SWEEP_TEST_PYTHON names no Python with the packages of deploy/python-check/requirements.txt: " +
			"make python-check makes one")
	}
	return path
}

// A readRun is a run as testdata/read_back.py prints it.
type readRun struct {
	Status string
	Config map[string]any
	Final  map[string]float64
	Curve  map[string][][2]float64
}

// The trackers' own packages read back every value of the tables, and nothing else.
func TestPythonReadsBack(t *testing.T) {
	interpreter := python(t)
	results, curves := example()
	for _, target := range track.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "out")
			if _, err := track.Write(t.Context(), folder, target, results, curves, exampleOptions); err != nil {
				t.Fatal(err)
			}
			got := readBack(t, interpreter, target.Name, folder)
			if len(got) != endedRuns {
				t.Errorf("%d runs, want %d", len(got), endedRuns)
			}
			for i := range results.Rows {
				if status := results.Value(i, "status"); status == "completed" || status == "failed" {
					compareRun(t, target.Name, got, results, i, curves)
				}
			}
		})
	}
}

func readBack(t *testing.T, interpreter, target, folder string) map[string]readRun {
	script, err := filepath.Abs("testdata/read_back.py")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := exec.CommandContext(ctx, interpreter, script, target, folder, t.TempDir())
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errOut.String())
	}
	var got map[string]readRun
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), errOut.String())
	}
	return got
}

// compareRun compares what a tracker has of a run with the tables.
func compareRun(
	t *testing.T, target string, runs map[string]readRun, results table.Table, row int, curves table.Table,
) {
	cell := results.Value(row, "cell").(string)
	var got readRun
	found := 0
	for name, r := range runs {
		if strings.HasPrefix(name, results.Value(row, "sweep").(string)+"/") && strings.HasSuffix(name, "cell="+cell) {
			got = r
			found++
		}
	}
	if found != 1 {
		t.Fatalf("%d runs with the cell %s", found, cell)
	}
	want := readRun{Config: map[string]any{}, Final: map[string]float64{}, Curve: map[string][][2]float64{}}
	want.Status = map[string]string{"completed": "FINISHED", "failed": "FAILED"}[results.Value(row, "status").(string)]
	same := func(v float64) float64 {
		if target == "tensorboard" {
			return float64(float32(v))
		}
		return v
	}
	for j, c := range results.Columns {
		v := results.Rows[row][j]
		number, isNumber := results.Number(row, c.Name)
		isSetting := strings.Contains(" k dict_size lr recipe ", " "+c.Name+" ")
		switch {
		case v == nil:
		case isSetting, !isNumber && target != "tensorboard":
			want.Config[c.Name] = v
			if target == "mlflow" {
				want.Config[c.Name] = strings.ReplaceAll(fmt.Sprint(v), "\n", " ")
				if list, ok := v.([]int64); ok {
					want.Config[c.Name] = strings.ReplaceAll(fmt.Sprint(list), " ", ",")
				}
			} else if isNumber {
				want.Config[c.Name] = number
			}
		case isNumber && !math.IsInf(same(number), 0):
			want.Final[c.Name] = same(number)
		}
	}
	for i := range curves.Rows {
		if curves.Value(i, "cell") != cell || curves.Value(i, "sweep") != results.Value(row, "sweep") {
			continue
		}
		for _, name := range []string{"loss", "nmse", "tokens"} {
			if v, ok := curves.Number(i, name); ok {
				step, _ := curves.Number(i, "step")
				want.Curve[name] = append(want.Curve[name], [2]float64{step, same(v)})
			}
		}
	}
	if len(want.Curve) == 0 && got.Curve == nil {
		got.Curve = want.Curve
	}
	a, b := printed(t, got), printed(t, want)
	if a != b {
		t.Errorf("cell %s: %s\nwant %s", cell, a, b)
	}
}

func printed(t *testing.T, r readRun) string {
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
