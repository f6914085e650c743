package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/export"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

// initGrid is a grid that begins from nothing; rows are scaled, so that a model's biases are too.
const initGrid = `
name: first
data: {synthetic: {activation_dim: 16, directions: 32, tokens: 20000, active: 3, noise: 0.05}, normalize: mean_square}
train: {dict_size: 64, k: 4, steps: 150, batch_size: 64, lr: 0.003}
`

// resultOf returns the rows of a sweep's results as JSON.
func resultsOf(t *testing.T, dir, sweep string) []map[string]any {
	t.Helper()
	var rows []map[string]any
	if err := json.Unmarshal([]byte(mustRun(t, dir, "results", sweep, "-o", "json")), &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// trainedModel trains initGrid in dir and returns the folder of its model.
func trainedModel(t *testing.T, dir string) string {
	t.Helper()
	mustRun(t, dir, "run", writeGrid(t, initGrid), "--no-ui", "--no-report")
	found, err := filepath.Glob(filepath.Join(dir, "store", "models", "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("models %q, %v", found, err)
	}
	return found[0]
}

// Training begins from a model that a run has left, or another tool: with a learning rate that moves nothing the result
// is that of the model. The same sweep killed and gone on with, and one that begins from the imported model, have the
// same cells.
func TestInitOfOwnModel(t *testing.T) {
	dir := t.TempDir()
	model := trainedModel(t, dir)
	first := resultsOf(t, dir, "first")[0]

	imported := filepath.Join(t.TempDir(), "model")
	said := mustRun(t, dir, "import", model, "--out", imported)
	for _, want := range []string{"width D", "16", "latents F", "64", "mean 1", imported} {
		if !strings.Contains(said, want) {
			t.Errorf("import says\n%s\nwithout %q", said, want)
		}
	}
	grids := t.TempDir()
	if err := os.Rename(imported, filepath.Join(grids, "model")); err != nil {
		t.Fatal(err)
	}
	grid := filepath.Join(grids, "grid.yaml")
	still := changed(t, initGrid, "name: first", "name: still", "dict_size: 64, k: 4, ", "", "lr: 0.003", "lr: 1e-30",
		"steps: 150", "steps: 3") + "parameters: {init: [none, model, " + model + "], seed: [0, 1]}\n"
	if err := os.WriteFile(grid, []byte(still), 0o644); err != nil {
		t.Fatal(err)
	}
	var plan struct {
		Cells      int   `json:"cells"`
		Duplicates int   `json:"duplicates"`
		Version    int   `json:"version"`
		Inits      []any `json:"inits"`
	}
	if err := json.Unmarshal([]byte(mustRun(t, dir, "plan", grid, "-o", "json")), &plan); err != nil {
		t.Fatal(err)
	}
	if plan.Cells != 4 || plan.Duplicates != 2 || plan.Version != 2 || len(plan.Inits) != 1 {
		t.Errorf("plan %+v", plan)
	}
	table := mustRun(t, dir, "run", grid, "--no-ui", "--no-report")
	if !strings.Contains(table, "init_written") {
		t.Errorf("the table does not name the model:\n%s", table)
	}
	for _, row := range resultsOf(t, dir, "still") {
		path := row["init_written"]
		if path == "none" {
			continue
		}
		if path != "model" || len(row["init"].(string)) != 12 {
			t.Errorf("init %v, written %v", row["init"], path)
		}
		if row["dict_size"] != 64.0 || row["k"] != 4.0 {
			t.Errorf("dict_size %v, k %v: want those of the model", row["dict_size"], row["k"])
		}
		for _, metric := range []string{"nmse", "l2_loss", "cosine", "l0"} {
			got, want := row[metric].(float64), first[metric].(float64)
			if !(math.Abs(got-want) <= 1e-5*math.Abs(want)) {
				t.Errorf("%s is %v, that of the model is %v", metric, got, want)
			}
		}
	}
	if inits, _ := filepath.Glob(filepath.Join(dir, "store", "inits", "*")); len(inits) != 1 ||
		!regexp.MustCompile("/inits/[0-9a-f]{64}[.]safetensors$").MatchString(filepath.ToSlash(inits[0])) {
		t.Errorf("the store has the models %q, want one", inits)
	}

	// Training goes on, and lowers the loss further; gc leaves what the plan names.
	on := changed(t, still, "name: still", "name: further", "lr: 1e-30", "lr: 0.003", "steps: 3", "steps: 300")
	if err := os.WriteFile(grid, []byte(on), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, dir, "run", grid, "--no-ui", "--no-report")
	for _, row := range resultsOf(t, dir, "further") {
		if row["init_written"] == "model" && !(row["nmse"].(float64) < first["nmse"].(float64)) {
			t.Errorf("nmse %v after 300 steps more, %v before", row["nmse"], first["nmse"])
		}
	}
	mustRun(t, dir, "gc", "--grace", "0s")
	if inits, _ := filepath.Glob(filepath.Join(dir, "store", "inits", "*.safetensors")); len(inits) != 1 {
		t.Errorf("gc has left the models %q, want one", inits)
	}
}

// A model that cannot be begun from ends with status 2 and a message at its line, and nothing is stored.
func TestBadInits(t *testing.T) {
	base := t.TempDir()
	write := func(name string, d, f int, norm float32) {
		m := &models.Model{ActivationDim: d, DictSize: f, K: 2, W: trainer.NewParams(d, f)}
		for i := range f {
			m.W.WDec[i*d] = norm
		}
		files, err := models.Files(m, models.Sparsify)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := export.WriteFolder(t.Context(), filepath.Join(base, name), files, false); err != nil {
			t.Fatal(err)
		}
	}
	write("good", 16, 64, 1)
	write("narrow", 8, 64, 1)
	write("long", 16, 64, 1.5)
	if err := os.MkdirAll(filepath.Join(base, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		init string
		want []string
	}{
		"missing":       {"init: [good, gone]", []string{"grid.yaml:5:27: parameters.init: ", "gone", "no such file"}},
		"empty":         {"init: empty", []string{"grid.yaml:5:20: parameters.init: ", "sae.safetensors"}},
		"width":         {"init: [narrow]", []string{":5:21: parameters.init: ", "width 8", "width 16"}},
		"latents":       {"init: good, dict_size: 32", []string{":5:20: parameters.init: ", "64 latents", "dict_size is 32"}},
		"off unit norm": {"init: long", []string{":5:20: parameters.init: ", "64 of 64 rows", "1.5", "normalize_init: true"}},
	} {
		t.Run(name, func(t *testing.T) {
			grid := filepath.Join(base, "grid.yaml")
			text := changed(t, initGrid, "dict_size: 64, k: 4, ", "") + "parameters: {" + c.init + "}\n"
			if err := os.WriteFile(grid, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, verb := range []string{"plan", "run"} {
				dir := t.TempDir()
				p := startProgram(t, dir, verb, grid)
				if status := p.exitStatus(t); status != exitBadInput {
					t.Errorf("%s: status %d\n%s", verb, status, p.err.String())
				}
				for _, want := range c.want {
					if !strings.Contains(p.err.String(), want) {
						t.Errorf("%s: %q lacks %q", verb, p.err.String(), want)
					}
				}
				if stored, _ := filepath.Glob(filepath.Join(dir, "store", "*", "*")); len(stored) > 0 {
					t.Errorf("%s has stored %q", verb, stored)
				}
			}
		})
	}
}

// normalize_init brings rows to unit norm, and the reconstruction of a latent stays what it was.
func TestNormalizeInit(t *testing.T) {
	base, dir := t.TempDir(), t.TempDir()
	m := &models.Model{ActivationDim: 16, DictSize: 16, K: 16, W: trainer.NewParams(16, 16)}
	for f := range 16 { // x̂ = ReLU(x), by rows of other norms
		m.W.WEnc[f*16+f], m.W.WDec[f*16+f] = 1/float32(f+1), float32(f+1)
	}
	files, err := models.Files(m, models.Formats()...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := export.WriteFolder(t.Context(), filepath.Join(base, "m"), files, false); err != nil {
		t.Fatal(err)
	}
	grid := filepath.Join(base, "grid.yaml")
	text := changed(t, initGrid, "dict_size: 64, k: 4, steps: 150", "init: m, normalize_init: true, steps: 1",
		"lr: 0.003", "lr: 1e-30", "normalize: mean_square", "normalize: none")
	if err := os.WriteFile(grid, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, dir, "run", grid, "--no-ui", "--no-report")
	folder, err := filepath.Glob(filepath.Join(dir, "store", "models", "*"))
	if err != nil || len(folder) != 1 {
		t.Fatalf("models %q, %v", folder, err)
	}
	got, _, err := models.Open(folder[0])
	if err != nil {
		t.Fatal(err)
	}
	for f := range 16 {
		for i := range 16 {
			want := float32(0)
			if i == f {
				want = 1
			}
			for what, v := range map[string]float32{"W_enc": got.W.WEnc[f*16+i], "W_dec": got.W.WDec[f*16+i]} {
				if !(math.Abs(float64(v-want)) <= 1e-6) {
					t.Fatalf("%s of latent %d at %d is %v, want %v", what, f, i, v, want)
				}
			}
		}
	}
}

// import --dry-run writes nothing; a folder that holds something else is not overwritten; what is no model is refused.
func TestImport(t *testing.T) {
	base := t.TempDir()
	m := &models.Model{ActivationDim: 2, DictSize: 3, K: 1, W: trainer.NewParams(2, 3)}
	for f := range 3 {
		m.W.WDec[2*f] = float32(f + 1)
	}
	m.Names.LMName = "a|b `c` <d>\x1b[31m"
	files, err := models.Files(m, models.Sparsify, models.SAELens)
	if err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(base, "layers.5")
	if _, err := export.WriteFolder(t.Context(), from, files, false); err != nil {
		t.Fatal(err)
	}
	said := mustRun(t, t.TempDir(), "import", from, "--dry-run", "-o", "json")
	var got imported
	if err := json.Unmarshal([]byte(said), &got); err != nil {
		t.Fatal(err)
	}
	want := importedNorms{Min: 1, Mean: 2, Max: 3, OffUnit: 2}
	if got.ActivationDim != 2 || got.DictSize != 3 || got.K != 1 || got.Norms != want || got.Folder != "" {
		t.Errorf("import says %+v", got)
	}
	out := filepath.Join(base, "out")
	for range 2 { // the second time it is there
		text := mustRun(t, t.TempDir(), "import", from, "--out", out, "--to", "sparsify")
		if !strings.Contains(text, "2 of 3 are not at unit norm; init wants normalize_init") ||
			strings.Contains(text, "\x1b") || !strings.Contains(text, "sparsify\n") {
			t.Errorf("import says %q", text)
		}
		for line := range strings.Lines(strings.ReplaceAll(text, out, "out")) {
			if utf8.RuneCountInString(line) > 81 {
				t.Errorf("wider than a terminal of 80 columns: %q", line)
			}
		}
	}
	cfg, err := os.ReadFile(filepath.Join(out, "cfg.json"))
	if err != nil || !strings.Contains(string(cfg), `"normalize_decoder": false`) {
		t.Errorf("cfg.json %s, %v", cfg, err)
	}
	if _, err := os.Stat(filepath.Join(out, "ae.pt")); err == nil {
		t.Error("a format that --to does not name is written")
	}
	mustRun(t, t.TempDir(), "import", from, "--out", out, "--to", "saelens") // it is added to what is there
	readme, err := os.ReadFile(filepath.Join(out, "README.md"))
	if err != nil || !bytes.Contains(readme, []byte("In sparsify")) || !bytes.Contains(readme, []byte("In SAELens")) {
		t.Errorf("README.md %s, %v", readme, err)
	}
	m.W.BDec[0] = 1
	files, err = models.Files(m, models.Sparsify)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(base, "layers.6")
	if _, err := export.WriteFolder(t.Context(), other, files, false); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(base, "notes.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"another folder": {from, "--out", base}, "a file": {from, "--out", filepath.Join(base, "notes.txt")},
		"another model": {other, "--out", out}, "no model": {t.TempDir()}, "nothing": {filepath.Join(base, "gone")},
		"a text": {filepath.Join(base, "notes.txt")}, "format": {from, "--to", "sparsifi"},
		"dry run with out": {from, "--dry-run", "--out", "x"},
	} {
		p := startProgram(t, t.TempDir(), append([]string{"import"}, args...)...)
		if status := p.exitStatus(t); status != exitBadInput || p.err.Len() == 0 || p.out.Len() > 0 {
			t.Errorf("%s: status %d, %s%s", name, status, p.err.String(), p.out.String())
		}
	}
	p := startProgram(t, t.TempDir(), "import", "036c8426ea")
	if p.exitStatus(t) != exitBadInput || !strings.Contains(p.err.String(), "sweep export writes the models") {
		t.Errorf("a run: %s", p.err.String())
	}
	if b, err := os.ReadFile(filepath.Join(base, "notes.txt")); err != nil || string(b) != "mine" {
		t.Errorf("notes.txt is %q, %v", b, err)
	}
}

// A model that a run begins from is damaged while the run waits for its turn, and its folder is gone: the run waits,
// and says why. Extending by the same grid again stores the model anew, though no cell is new. gc removes nothing that
// a run may need.
func TestInitIsDamaged(t *testing.T) {
	dir := t.TempDir()
	model := trainedModel(t, dir)
	base := t.TempDir()
	folder := filepath.Join(base, "model")
	write := func(grid string) string {
		t.Helper()
		path := filepath.Join(base, "grid.yaml")
		if err := os.WriteFile(path, []byte(grid), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.CopyFS(folder, os.DirFS(model)); err != nil {
		t.Fatal(err)
	}
	startServer(t, dir, "--slots", "1")
	// One run trains for long; the others wait for the slot.
	long := write(changed(t, initGrid, "name: first", "name: long", "steps: 150", "steps: 10_000_000"))
	mustRun(t, dir, "submit", long)
	waitFor(t, "the long run", func() bool { return training(statusOfSweep(t, dir, "long")) == 1 })
	// Extended while nothing of it can train, by cells that begin from a model.
	mustRun(t, dir, "submit", write(changed(t, initGrid, "name: first", "name: short", "steps: 150", "steps: 100")))
	more := changed(t, initGrid, "name: first", "name: short", "dict_size: 64, k: 4, ", "", "steps: 150",
		"init: model, seed: 3, steps: 100")
	mustRun(t, dir, "extend", "short", write(more))
	mustRun(t, dir, "gc", "--grace", "0s")
	inits, err := filepath.Glob(filepath.Join(dir, "store", "inits", "*.safetensors"))
	if err != nil || len(inits) != 1 {
		t.Fatalf("models to begin from: %q, %v", inits, err)
	}
	whole, err := os.ReadFile(inits[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(inits[0], whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, dir, "cancel", "long")
	waitFor(t, "the error of the run that begins from the model", func() bool {
		for _, r := range statusOfSweep(t, dir, "short").Runs {
			if strings.Contains(r.Error, "the model that the run begins from is damaged: submit the grid again, or extend") {
				return true
			}
		}
		return false
	})
	mustRun(t, dir, "extend", "short", write(more))
	if got, err := os.ReadFile(inits[0]); err != nil || string(got) != string(whole) {
		t.Errorf("extended again, the model is not what it was: %d bytes of %d, %v", len(got), len(whole), err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	watch := startProgram(t, dir, "watch", "short")
	if status := watch.exitStatus(t); status != exitOK {
		t.Errorf("watch: status %d\n%s", status, watch.err.String())
	}
	if got := mustRun(t, dir, "results", "short"); strings.Count(got, "completed") != 2 {
		t.Errorf("at the end:\n%s", got)
	}
}

// The folders of models that are imported from one run have different names.
func TestImportName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"trainer_0/ae.pt", "trainer_0/checkpoints/ae_30.pt", "layers.5/sae.safetensors"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"trainer_0": "trainer_0", "trainer_0/ae.pt": "trainer_0", "trainer_0/checkpoints/ae_30.pt": "trainer_0_ae_30",
		"layers.5": "layers.5", "layers.5/sae.safetensors": "layers.5",
	} {
		if got := importName(filepath.Join(dir, filepath.FromSlash(path))); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
