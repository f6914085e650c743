package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

// randomNpy returns a shard of n random rows of d numbers, and the rows.
func randomNpy(n, d int, seed uint64) (shard []byte, x []float32) {
	r := rand.New(rand.NewPCG(seed, 9))
	shard = npy(n, d, 1)
	body := shard[len(shard)-4*n*d:]
	common := make([]float64, d)
	for j := range common {
		common[j] = r.NormFloat64()
	}
	for i := range n * d {
		v := float32(r.NormFloat64() + common[i%d])
		x = append(x, v)
		binary.LittleEndian.PutUint32(body[4*i:], math.Float32bits(v))
	}
	return shard, x
}

// writeShard writes a folder of one shard, and returns the folder and the rows.
func writeShard(t *testing.T, n, d int, seed uint64) (folder string, x []float32) {
	t.Helper()
	folder = t.TempDir()
	shard, x := randomNpy(n, d, seed)
	if err := os.WriteFile(filepath.Join(folder, "a.npy"), shard, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder, x
}

// evalRows are what -o json prints.
func evalRows(t *testing.T, dir string, args ...string) (rows []map[string]any, text string) {
	t.Helper()
	status, out, messages := sweepVerb(t.Context(), dir, append(append([]string{"eval"}, args...), "-o", "json")...)
	if status != exitOK {
		t.Fatalf("%v: exit status %d\n%s", args, status, messages)
	}
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	return rows, out
}

// Measuring a run on the rows that its sweep held out gives the metrics of its result: bit for bit without a scale,
// else as exactly as float32 holds the biases that the scale is folded into. A second sweep of the grid trains nothing;
// one with another held-out row is another sweep.
func TestEvalIsTheResult(t *testing.T) {
	dir := t.TempDir()
	train, _ := writeShard(t, 800, 8, 1)
	held, _ := writeShard(t, 1100, 8, 2)
	grid := func(normalize string) string {
		return gridWith("name: "+strings.ReplaceAll(normalize, "_", "-"), fmt.Sprintf(
			"data: {source: %s, eval_source: %s, normalize: %s}", train, held, normalize),
			"parameters: {recipe: [corrected, reference, upstream]}",
			"train: {k: 4, dict_size: 32, steps: 60, batch_size: 64, lr: 0.01, dead_feature_threshold: 500}")
	}
	for normalize, within := range map[string]float64{"none": 0, "mean_square": 1e-6} {
		g := writeGrid(t, grid(normalize))
		mustRun(t, dir, "run", g, "--no-ui", "--no-report")
		var results []map[string]any
		sweep := strings.ReplaceAll(normalize, "_", "-")
		if err := json.Unmarshal([]byte(mustRun(t, dir, "results", sweep, "-o", "json")), &results); err != nil {
			t.Fatal(err)
		}
		rows, text := evalRows(t, dir, sweep, "--data", held)
		if len(rows) != 3 || len(results) != 3 {
			t.Fatalf("%d models, %d results", len(rows), len(results))
		}
		for i, row := range rows {
			want, compared := results[i], 0
			if row["model"] != want["run"] || row["cell"] != want["cell"] {
				t.Errorf("%s: row %d is of %s, want %s", normalize, i, row["model"], want["run"])
			}
			for name, v := range row {
				w, ok := want[name]
				switch {
				case slices.Contains(trainer.CountedInTraining(), name):
					if v != nil {
						t.Errorf("%s: %s is %v, though nothing was trained", normalize, name, v)
					}
				case !ok && name != "model" && name != "format":
					t.Errorf("%s is no column of the results", name)
				case name == "data" || !ok:
				default:
					compared++
					a, isNumber := v.(float64)
					b, _ := w.(float64)
					if isNumber && !(math.Abs(a-b) <= within*math.Abs(b)) || !isNumber && fmt.Sprint(v) != fmt.Sprint(w) {
						t.Errorf("%s: %s is %v, that of the result %v", normalize, name, v, w)
					}
				}
			}
			if compared < 24 || row["eval_tokens"] != 1100.0 {
				t.Errorf("%s: %d columns compared, %v rows", normalize, compared, row["eval_tokens"])
			}
		}

		for _, threads := range []int{1, 3} {
			before := runtime.GOMAXPROCS(threads)
			_, again := evalRows(t, dir, sweep, "--data", held)
			runtime.GOMAXPROCS(before)
			if again != text {
				t.Errorf("%s, %d threads:\n%s\nwant\n%s", normalize, threads, again, text)
			}
		}
		// A run by the beginning of its ID, and some of the rows.
		run := rows[1]["run"].(string)
		few, _ := evalRows(t, dir, run[:8], "--data", held, "--rows", "10", "--normalize", "none", "--k", "2")
		if len(few) != 1 || few[0]["run"] != run || few[0]["eval_tokens"] != 10.0 || few[0]["scale"] != 1.0 ||
			few[0]["k"] != 2.0 || few[0]["l0"].(float64) > 2 || few[0]["l2_loss"] != few[0]["mse"] {
			t.Errorf("%s: %v", normalize, few)
		}
		unit, _ := evalRows(t, dir, run, "--data", held, "--normalize", "mean_square")
		if a, b := unit[0]["nmse"].(float64), rows[1]["nmse"].(float64); a != b ||
			!(math.Abs(unit[0]["mse"].(float64)-rows[1]["mse"].(float64)) <= 1e-12) || unit[0]["scale"] == 1.0 {
			t.Errorf("%s: scaled by the rows: %v, want the metrics of %v", normalize, unit[0], rows[1])
		}

		plan := func() (p struct{ ID string }) {
			if err := json.Unmarshal([]byte(mustRun(t, dir, "plan", g, "-o", "json")), &p); err != nil {
				t.Fatal(err)
			}
			return p
		}
		first := plan()
		again := startProgram(t, dir, "run", g, "--no-ui", "--no-report")
		if status := again.exitStatus(t); status != exitOK || strings.Contains(again.err.String(), "ended") {
			t.Errorf("%s: submitted again: status %d\n%s", normalize, status, again.err.String())
		}
		shard, err := os.ReadFile(filepath.Join(held, "a.npy"))
		if err != nil {
			t.Fatal(err)
		}
		shard[len(shard)-1] ^= 0x80
		if err := os.WriteFile(filepath.Join(held, "a.npy"), shard, 0o600); err != nil {
			t.Fatal(err)
		}
		if other := plan(); other.ID == first.ID || first.ID == "" {
			t.Errorf("%s: with another held-out row the sweep is %s, before it was %s", normalize, other.ID, first.ID)
		}
		shard[len(shard)-1] ^= 0x80
		moved := filepath.Join(t.TempDir(), "elsewhere.npy")
		if err := os.WriteFile(moved, shard, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(held, "a.npy")); err != nil {
			t.Fatal(err)
		}
		g = writeGrid(t, strings.Replace(grid(normalize), "eval_source: "+held, "eval_source: "+moved, 1))
		if same := plan(); same.ID != first.ID {
			t.Errorf("%s: the held-out rows lie elsewhere: sweep %s, want %s", normalize, same.ID, first.ID)
		}
		if err := os.WriteFile(filepath.Join(held, "a.npy"), shard, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A model whose rows of W_dec are not at unit norm is measured as it is, whichever tool's files hold it.
func TestEvalOfOtherNorms(t *testing.T) {
	const d, f, k, n = 8, 24, 3, 300
	held, x := writeShard(t, n, d, 5)
	r := rand.New(rand.NewPCG(6, 6))
	w := trainer.NewParams(d, f)
	for _, v := range [][]float32{w.WEnc, w.BEnc, w.WDec, w.BDec} {
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
	}
	m := &models.Model{ActivationDim: d, DictSize: f, K: k, W: w}
	mean := make([]float64, d)
	for i, v := range x {
		mean[i%d] += float64(v) / n
	}
	var e2, variance float64
	for row := range n {
		x := x[row*d : (row+1)*d]
		acts, order := make([]float64, f), make([]int, f)
		for i := range f {
			order[i], acts[i] = i, float64(w.BEnc[i])
			for j := range d {
				acts[i] += float64(w.WEnc[i*d+j]) * (float64(x[j]) - float64(w.BDec[j]))
			}
		}
		slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, acts[b]-acts[a])) })
		for j := range d {
			y := float64(w.BDec[j])
			for _, i := range order[:k] {
				y += max(0, acts[i]) * float64(w.WDec[i*d+j])
			}
			e2 += (float64(x[j]) - y) * (float64(x[j]) - y)
			variance += (float64(x[j]) - mean[j]) * (float64(x[j]) - mean[j])
		}
	}
	first := ""
	for _, format := range models.Formats() {
		folder := filepath.Join(t.TempDir(), "model")
		files, err := models.Files(m, format)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b := make([]byte, file.Size)
			if _, err := file.Body.ReadAt(b, 0); err != nil && len(b) > 0 && err.Error() != "EOF" {
				t.Fatal(err)
			}
			path := filepath.Join(folder, filepath.FromSlash(file.Name))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		rows, _ := evalRows(t, t.TempDir(), folder, "--data", held)
		for name, want := range map[string]float64{"l2_loss": e2 / n, "mse": e2 / n, "nmse": e2 / variance, "scale": 1} {
			if got := rows[0][name].(float64); !(math.Abs(got-want) <= 1e-5*want) {
				t.Errorf("%s: %s is %v, want %v", format, name, got, want)
			}
		}
		delete(rows[0], "model")
		delete(rows[0], "format")
		b, err := json.Marshal(rows[0])
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(b)
		}
		if string(b) != first {
			t.Errorf("%s: %s\nwant %s", format, b, first)
		}
	}
}

// What cannot be measured is said, by the name that the person gave; what can is printed all the same.
func TestEvalErrors(t *testing.T) {
	dir := t.TempDir()
	train, _ := writeShard(t, 400, 8, 1)
	wide, _ := writeShard(t, 400, 6, 1)
	mustRun(t, dir, "run", writeGrid(t, gridWith("name: small", "data: {source: "+train+"}",
		"train: {dict_size: 32, steps: 4, batch_size: 64}")), "--no-ui", "--no-report")
	notAModel := t.TempDir()
	for _, x := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"small"}, exitBadInput, "--data"},
		{[]string{"small", "--data", filepath.Join(dir, "no")}, exitBadInput, "no such file"},
		{[]string{"small", "--data", train, "--rows", "401"}, exitBadInput, "holding out 401 rows of 400"},
		{[]string{"small", "--data", train, "--rows", "0"}, exitBadInput, "--rows"},
		{[]string{"small", "--data", train, "--k", "33"}, exitBadInput, "--k 33 is more than its 32 latents"},
		{[]string{"small", "--data", train, "--normalize", "max"}, exitBadInput, "none or mean_square"},
		{[]string{"small", "--data", train, "--max-norm", "-1"}, exitBadInput, "max_norm"},
		{[]string{"small", "--data", wide}, exitBadInput, "it takes activations of width 8, and the rows of " + wide},
		{[]string{"small", "--data", train, "--where", "k=3"}, exitBadInput, "chooses none"},
		{[]string{"other", "--data", train}, exitBadInput, `other: there is no such file or folder; sweep "other"`},
		{[]string{"ffffffff", "--data", train}, exitBadInput, "no run whose ID begins so"},
		{[]string{notAModel, "--data", train}, exitBadInput, "neither it nor a folder below it has sae.safetensors"},
		{[]string{filepath.Join(notAModel, "no"), "--data", train}, exitBadInput, "no such file"},
		{[]string{"small", "--data", train, "--backend", "tpu"}, exitBadInput, "tpu"},
		{nil, exitBadInput, "at least 1 arg"},
	} {
		status, out, messages := sweepVerb(t.Context(), dir, append([]string{"eval"}, x.args...)...)
		if status != x.status || !strings.Contains(messages, x.want) || out != "" {
			t.Errorf("%v: status %d, want %d and %q\n%s%s", x.args, status, x.status, x.want, out, messages)
		}
	}
	status, out, messages := sweepVerb(t.Context(), dir, "eval", notAModel, "small", "--data", train)
	if status != exitBadInput || !strings.Contains(messages, notAModel) || strings.Count(out, "\n") != 4 {
		t.Errorf("one of two is no model: status %d\n%s%s", status, out, messages)
	}
	// Rows that a model was trained on are no held-out rows.
	for at, noted := range map[string]bool{train: true, train + "/": true, wide: false} {
		_, _, messages := sweepVerb(t.Context(), dir, "eval", "small", "--data", at)
		if strings.Contains(messages, "note: small: it was trained on rows of "+at) != noted {
			t.Errorf("--data %s: want a note that these are training rows: %t\n%s", at, noted, messages)
		}
	}
	// A damaged model is no fault of who asks.
	weights, err := filepath.Glob(filepath.Join(dir, "store", "models", "*", "sae.safetensors"))
	if err != nil || len(weights) != 2 {
		t.Fatal(weights, err)
	}
	whole, err := os.ReadFile(weights[0])
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)-4] ^= 1 // the last bit of a number, which stays finite
	if err := os.WriteFile(weights[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"eval", "small", "--data", train}, {"export", "small", "--out", filepath.Join(t.TempDir(), "out")},
	} {
		status, _, messages := sweepVerb(t.Context(), dir, args...)
		if status != exitError || !strings.Contains(messages, "ae.pt holds other weights") {
			t.Errorf("%s of a model with a changed bit: status %d\n%s", args[0], status, messages)
		}
	}
	if err := os.Truncate(weights[0], 300); err != nil {
		t.Fatal(err)
	}
	status, out, messages = sweepVerb(t.Context(), dir, "eval", "small", "--data", train)
	if run := filepath.Base(filepath.Dir(weights[0])); status != exitError || !strings.Contains(messages, run) ||
		strings.Count(out, "\n") != 3 {
		t.Errorf("a damaged model: status %d\n%s%s", status, out, messages)
	}
}

// Errors of eval_source point to its value, and its note and rows are in the plan.
func TestEvalSourceInAGrid(t *testing.T) {
	train, _ := writeShard(t, 400, 8, 1)
	wide, _ := writeShard(t, 400, 6, 1)
	at := fmt.Sprintf(":2:%d: data ", len("data: {source: , eval_source: ")+len(train)+1)
	for source, want := range map[string]string{
		wide:                               at + wide + ": eval_source has rows of 6",
		filepath.Join(t.TempDir(), "held"): at,
	} {
		g := writeGrid(t, gridWith("data: {source: "+train+", eval_source: "+source+"}"))
		status, _, messages := sweepVerb(t.Context(), t.TempDir(), "submit", g)
		if status != exitBadInput || !strings.Contains(messages, want) {
			t.Errorf("status %d, want %q\n%s", status, want, messages)
		}
	}
	// A relative path is that of the grid's folder.
	g := writeGrid(t, gridWith("data: {source: "+train+", eval_source: held/a.npy, eval_tokens: 30}"))
	shard, _ := randomNpy(50, 8, 3)
	if err := os.MkdirAll(filepath.Join(filepath.Dir(g), "held"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(g), "held", "a.npy")
	if err := os.WriteFile(path, shard, 0o600); err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, t.TempDir(), "plan", g)
	if want := train + ": 400 rows of 8; 30 rows of " + path + " held out"; !strings.Contains(out, want) {
		t.Errorf("want %q in\n%s", want, out)
	}
	var r struct {
		Data       string
		EvalRows   int                `json:"eval_rows"`
		EvalSource struct{ Rows int } `json:"eval_source"`
	}
	text := mustRun(t, t.TempDir(), "data", "inspect", train, "--eval-source", path, "--eval-tokens", "30", "-o", "json")
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	var header struct {
		Info struct{ Fingerprint string } `json:"data_info"`
	}
	if err := json.Unmarshal([]byte(mustRun(t, t.TempDir(), "plan", g, "-o", "json")), &header); err != nil {
		t.Fatal(err)
	}
	if r.Data == "" || r.Data != header.Info.Fingerprint || r.EvalRows != 30 || r.EvalSource.Rows != 50 {
		t.Errorf("inspect says %+v, planned is %s", r, header.Info.Fingerprint)
	}
	bad, _ := randomNpy(50, 8, 4)
	binary.LittleEndian.PutUint32(bad[len(bad)-4:], math.Float32bits(float32(math.Inf(1))))
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	inspect := startProgram(t, t.TempDir(), "data", "inspect", train, "--eval-source", path)
	if status := inspect.exitStatus(t); status != exitBadInput ||
		!strings.Contains(inspect.err.String(), path+": 1 rows hold NaN or Inf") ||
		!strings.Contains(inspect.out.String(), path+": row 49, column 7") {
		t.Errorf("status %d\n%s%s", status, inspect.out.String(), inspect.err.String())
	}
}
