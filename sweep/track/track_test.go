package track_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/sweep/track"
)

var exampleOptions = track.Options{Settings: []string{"k", "dict_size", "lr", "recipe"}}

// endedRuns is how many runs of the example have ended.
const endedRuns = 5

// example is the results of two sweeps: with values that are missing, huge and hostile, runs that failed, and one that
// is pending.
func example() (results, curves table.Table) {
	results = table.Table{
		Columns: []table.Column{
			{Name: "cell", Kind: table.Text}, {Name: "sweep", Kind: table.Text},
			{Name: "k", Kind: table.Int}, {Name: "dict_size", Kind: table.Int}, {Name: "lr", Kind: table.Float},
			{Name: "recipe", Kind: table.Text}, {Name: "nmse", Kind: table.Float}, {Name: "l1", Kind: table.Float},
			{Name: "flops", Kind: table.Float}, {Name: "tokens", Kind: table.Int}, {Name: "lm_name", Kind: table.Text},
			{Name: "status", Kind: table.Text}, {Name: "error", Kind: table.Text},
			{Name: "density", Kind: table.Ints},
		},
		Rows: [][]any{
			{"aa00", "one-12", int64(8), int64(512), 0.002, "corrected", 0.25, nil, 1e15, int64(153600), "a|b<c>&\"d\" é",
				"completed", nil, []int64{3, 0, 509}},
			{"aa01", "one-12", int64(8), int64(2048), 0.002, "corrected", 0.2, 12.5, 1e300, int64(1) << 40, nil,
				"completed", nil, nil},
			{"aa02", "one-12", int64(16), int64(512), 0.002, "corrected", nil, nil, nil, nil, nil,
				"failed", "the loss is not finite\nat step 7: \"NaN\" <b>", nil},
			{"aa03", "one-12", int64(16), int64(2048), 0.002, "corrected", nil, nil, nil, nil, nil, "pending", nil, nil},
			{"aa00", "two-34", int64(8), int64(512), 1e-300, "corrected", 0.0, 5e-324, 0.0, int64(0), nil,
				"completed", nil, []int64{}},
			{"bb00", "two-34", int64(8), int64(512), 1e-4, "corrected", 0.1, 0.3, 1.0, int64(7), nil, "completed", nil, nil},
		},
	}
	curves = table.Table{Columns: []table.Column{
		{Name: "sweep", Kind: table.Text}, {Name: "cell", Kind: table.Text}, {Name: "k", Kind: table.Int},
		{Name: "step", Kind: table.Int}, {Name: "loss", Kind: table.Float}, {Name: "nmse", Kind: table.Float},
		{Name: "tokens", Kind: table.Int},
	}}
	for _, run := range [][2]string{{"one-12", "aa00"}, {"one-12", "aa01"}, {"two-34", "aa00"}} {
		// Enough points that W&B's log has several blocks.
		for step := range int64(400) {
			var nmse any
			if step%100 == 0 {
				nmse = 0.5 / float64(step+1)
			}
			loss := float64(len(run[1])) / float64(3*step+7)
			curves.Rows = append(curves.Rows, []any{run[0], run[1], int64(8), step, loss, nmse, step * 256})
		}
		curves.Rows = append(curves.Rows, []any{run[0], run[1], int64(8), int64(400), nil, 0.25, nil})
	}
	return results, curves
}

func targetOf(t *testing.T, name string) track.Target {
	target, err := track.TargetOf(name)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// filesOf reads all files below a folder, by their names with slashes.
func filesOf(t *testing.T, folder string) map[string][]byte {
	out := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		out[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A small sweep in each format, byte for byte. Equal tables give equal bytes.
func TestGoldens(t *testing.T) {
	results, curves := example()
	results.Rows = results.Rows[:4]
	few := curves.Rows[:2]
	curves.Rows = append(slices.Clone(few), curves.Rows[400], curves.Rows[401], curves.Rows[801])
	for _, target := range track.Targets() {
		t.Run(target.Name, func(t *testing.T) {
			var written []map[string][]byte
			for range 2 {
				folder := filepath.Join(t.TempDir(), "out")
				s, err := track.Write(t.Context(), folder, target, results, curves, exampleOptions)
				if err != nil {
					t.Fatal(err)
				}
				if want := (track.Summary{Runs: 3, Failed: 1, Pending: 1, Points: 5}); s != want {
					t.Errorf("%+v, want %+v", s, want)
				}
				written = append(written, filesOf(t, folder))
			}
			if !maps.EqualFunc(written[0], written[1], bytes.Equal) {
				t.Error("two exports differ")
			}
			var text bytes.Buffer
			for _, name := range slices.Sorted(maps.Keys(written[0])) {
				if content := written[0][name]; name != "import.py" {
					fmt.Fprintf(&text, "== %s\n%s\n", name, readable(content))
				}
			}
			goldentest.Check(t, filepath.Join("testdata", target.Name+".golden"), text.Bytes())
		})
	}
}

// readable prints a text as it is, and bytes that are none as Go does.
func readable(content []byte) string {
	if bytes.ContainsFunc(content, func(r rune) bool { return r < ' ' && r != '\n' || r == '\uFFFD' }) {
		return fmt.Sprintf("%q", content)
	}
	return string(content)
}

// Names that no file can have become names that every system takes, and stay apart.
func TestHostileNames(t *testing.T) {
	results := table.Table{Columns: []table.Column{
		{Name: "cell", Kind: table.Text}, {Name: "sweep", Kind: table.Text}, {Name: "recipe", Kind: table.Text},
		{Name: "../x", Kind: table.Float}, {Name: "", Kind: table.Float}, {Name: "NMSE", Kind: table.Float},
		{Name: "nmse", Kind: table.Float},
	}}
	for _, name := range []string{
		"..", "../../etc", "a/b", "a\\b", "a_b", "A_B", "CON", "x\x00y", strings.Repeat("é", 300),
		strings.Repeat("x", 300), "-rf", ".git",
		"a:b*?\"<>|", "", "A", "a", "end.",
	} {
		results.Rows = append(results.Rows,
			[]any{name, name, name, 1.0, 2.0, 3.0, 4.0}, []any{name, "s", name, 1.0, nil, nil, nil})
	}
	plain := regexp.MustCompile(`^[A-Za-z0-9=,_][A-Za-z0-9=,._-]*$`)
	for _, target := range track.Targets() {
		parent := t.TempDir()
		s, err := track.Write(t.Context(), filepath.Join(parent, "out"), target, results, table.Table{}, exampleOptions)
		if err != nil || s.Runs != len(results.Rows) {
			t.Fatalf("%s: %+v %v", target.Name, s, err)
		}
		files := filesOf(t, parent)
		lower := map[string]bool{}
		for name := range files {
			rest, ok := strings.CutPrefix(name, "out/")
			if lower[strings.ToLower(name)] || !ok {
				t.Errorf("%s: file %s", target.Name, name)
			}
			lower[strings.ToLower(name)] = true
			for part := range strings.SplitSeq(rest, "/") {
				if !plain.MatchString(part) || len(part) > 200 {
					t.Errorf("%s: file %q", target.Name, name)
				}
			}
		}
		if len(files) < len(results.Rows) {
			t.Errorf("%s: %d files of %d runs", target.Name, len(files), len(results.Rows))
		}
	}
}

// The reason of a failure is text that MLflow can read, whatever bytes a file had, and a run that was canceled is told
// from one that failed.
func TestHostileReason(t *testing.T) {
	results := table.Table{
		Columns: []table.Column{
			{Name: "cell", Kind: table.Text}, {Name: "status", Kind: table.Text}, {Name: "error", Kind: table.Text},
		},
		Rows: [][]any{{"a", "failed", "not \xff\xfe UTF-8"}, {"b", "canceled", nil}},
	}
	folder := filepath.Join(t.TempDir(), "out")
	s, err := track.Write(t.Context(), folder, targetOf(t, "mlflow"), results, table.Table{}, exampleOptions)
	if err != nil || s.Runs != 2 || s.Failed != 2 {
		t.Fatalf("%+v %v", s, err)
	}
	var statuses []string
	for name, content := range filesOf(t, folder) {
		if !utf8.Valid(content) {
			t.Errorf("%s is not UTF-8: %q", name, content)
		}
		statuses = append(statuses, regexp.MustCompile(`(?m)^status: \d$`).FindAllString(string(content), -1)...)
	}
	slices.Sort(statuses)
	if want := []string{"status: 4", "status: 5"}; !slices.Equal(statuses, want) { // FAILED and KILLED
		t.Errorf("%q, want %q", statuses, want)
	}
}

// Nothing that is there is touched, and nothing half-written appears.
func TestFolder(t *testing.T) {
	results, curves := example()
	target := targetOf(t, "trackio")
	write := func(ctx context.Context, path string) error {
		_, err := track.Write(ctx, path, target, results, curves, exampleOptions)
		return err
	}
	parent := t.TempDir()
	occupied := filepath.Join(parent, "occupied")
	if err := os.MkdirAll(occupied, 0o755); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(occupied, "mine.txt")
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{occupied, mine} {
		if err := write(t.Context(), path); !errors.Is(err, track.ErrOccupied) {
			t.Errorf("%s: %v", path, err)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := write(stopped, filepath.Join(parent, "stopped")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	results.Rows = results.Rows[3:4]
	if err := write(t.Context(), filepath.Join(parent, "pending")); !errors.Is(err, track.ErrNothing) {
		t.Error(err)
	}
	if files := filesOf(t, parent); len(files) != 1 || string(files["occupied/mine.txt"]) != "mine" {
		t.Errorf("%v", slices.Sorted(maps.Keys(files)))
	}
	results, _ = example()
	empty := filepath.Join(parent, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, filepath.Join(parent, "new", "deep")} {
		if err := write(t.Context(), path); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(path, "import.py")); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(parent, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
