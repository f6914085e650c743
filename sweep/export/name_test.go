package export

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// run is a completed run, with a name of a language model.
func run(id string, k int, seed int64, model string) ledger.Result {
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 4, DictSize: 32, K: k, AuxKAlpha: 0.03125, KAux: 2, DecayStart: 8, Steps: 10,
		BatchSize: 16, LR: 0.001, Seed: seed, Precision: "f32", DeadFeatureThreshold: 100,
	}
	return ledger.Result{
		Cell: id, Run: id, Sweep: "s-12345678", Config: c, Status: plan.Completed, Tokens: c.Tokens(), WallSeconds: 1.5,
		Metrics: trainer.Metrics{L2Loss: 0.25, EvalTokens: 10}, Data: "f00d", Scale: 0.5, Semantics: 2,
		Names: trainer.Names{LMName: model, Layer: new(3)}, Build: "v1", Device: "cpu", PeakBytes: 12,
	}
}

func tableOf(runs ...ledger.Result) *table.Table {
	t := report.Rows{Results: runs}.Table()
	return &t
}

func TestNames(t *testing.T) {
	hostile := run("aa", 8, 1, "../../etc/passwd")
	for template, want := range map[string]string{
		"{layer}/k{k}_f{dict_size}":     "3/k8_f32",
		"{lm_name}":                     "_._.._etc_passwd",
		"x{lm_name}/{cell}":             "x_._.._etc_passwd/aa",
		"{auxk_alpha}_{lr}_{hook_name}": "0.03125_0.001__",
		"all":                           "all",
		"{nmse}{k}":                     "_8",
	} {
		n, err := ParseName(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if got, err := n.Of(tableOf(hostile), 0); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", template, got, err, want)
		}
	}
}

func TestBadTemplates(t *testing.T) {
	for template, want := range map[string]string{
		"":                         "has no name",
		"/abs/{k}":                 "has no name",
		"a//b":                     "has no name",
		"a/":                       "has no name",
		"../{k}":                   ".. is no name",
		"{k}/../x":                 ".. is no name",
		"./{k}":                    ". is no name",
		"k{k":                      "brace",
		"k}":                       "brace",
		"{}":                       `no key ""`,
		"{layr}":                   "did you mean {layer}?",
		"{dictsize}":               "did you mean {dict_size}?",
		"{crop_rotation_schedule}": "want a setting",
		`a\b`:                      "control characters",
		"a\nb":                     "control characters",
		"{k}.":                     "end with a dot",
		"CON":                      "device on Windows",
		"{k}/lpt1.x":               "device on Windows",
		strings.Repeat("x", 201):   "of at most 200",
	} {
		if _, err := ParseName(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", template, err, want)
		}
	}
}

// A value of a folder's name holds nothing that a path or a shell treats in its own way, whatever it is.
func FuzzSafe(f *testing.F) {
	for _, s := range []string{
		"", ".", "..", "a/b", "k 8", "é", "con:", strings.Repeat("ab", 100), "-1e300", "a.", "\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := safe(s)
		const known = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+="
		if got == "" || len(got) > maxValue || strings.Trim(got, known) != "" || strings.ContainsAny(got, " /\\:") ||
			got[0] == '.' || got[len(got)-1] == '.' || path.Clean(got) != got {
			t.Errorf("%q is %q", s, got)
		}
	})
}

func TestFolders(t *testing.T) {
	runs := tableOf(run("aa", 8, 1, "gpt2"), run("bb", 8, 2, "GPT2"), run("cc", 16, 1, strings.Repeat("x", 300)))
	for template, want := range map[string]string{
		"k{k}":             "the runs aa and bb would have one folder, k8: add {seed} to the name",
		"k{k}_{lm_name}":   "add {seed}", // names that differ in capitals alone
		"k{k}_{seed}":      "",
		"{lm_name}_{seed}": "",
		"{cell}":           "",
	} {
		n, err := ParseName(template)
		if err != nil {
			t.Fatal(err)
		}
		names, err := n.Folders(runs)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %q", template, names, err, want)
		}
	}
	twice := tableOf(run("aa", 8, 1, "gpt2"), run("aa", 8, 1, "gpt2"))
	n, err := ParseName("{k}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Folders(twice); err == nil || !strings.Contains(err.Error(), "asked for twice") {
		t.Errorf("one run twice: %v", err)
	}
	other := run("aa", 8, 1, "gpt2")
	other.Sweep = "t-12345678"
	_, err = n.Folders(tableOf(run("aa", 8, 1, "gpt2"), other))
	if err == nil || !strings.Contains(err.Error(), "{sweep}") {
		t.Errorf("one run of two sweeps: %v", err)
	}
}

func TestDefault(t *testing.T) {
	a, b := run("aa", 8, 1, ""), run("bb", 16, 1, "")
	for _, c := range []struct {
		axes []string
		runs *table.Table
		want string
	}{
		{[]string{"k", "seed"}, tableOf(a, b), "k8_seed1 k16_seed1"},
		{[]string{"seed"}, tableOf(a, b), "aa bb"}, // which would have one name
		{nil, tableOf(a), "aa"},
		{strings.Fields(strings.Repeat("auxk_alpha ", 40)), tableOf(a, b), "aa bb"}, // which would be long
		{[]string{"no_setting"}, tableOf(a), "aa"},
		{nil, tableOf(), ""},
	} {
		names, err := Default(c.runs, c.axes)
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%v: %q, %v, want %q", c.axes, got, err, c.want)
		}
	}
	if _, err := Default(tableOf(a, a), nil); err == nil || errors.Is(err, ErrOther) {
		t.Errorf("one run twice: %v", err)
	}
}

// The facts of a run have its settings and metrics, and nothing that differs between equal runs.
func TestFacts(t *testing.T) {
	a, b := run("aa", 8, 1, "gpt2"), run("aa", 8, 1, "gpt2")
	b.WallSeconds, b.PeakBytes, b.Spans = 99, 1, []ledger.Span{{To: 10, Cells: 3, Seconds: 4}}
	b.Written = map[string]string{"init": "/home/somebody/models/a", "lr": "auto"} // known where there is a plan
	facts := map[string]string{}
	for _, f := range Facts(nil, a) {
		if _, twice := facts[f.Name]; twice {
			t.Errorf("%s stands twice", f.Name)
		}
		facts[f.Name] = f.Value
	}
	for name, want := range map[string]string{
		"cell": "aa", "sweep": "s-12345678", "k": "8", "l2_loss": "0.25", "recipe": "corrected", "data": "f00d",
		"build": "v1", "device": "cpu", "scale": "0.5", "wall_seconds": "", "lm_name": "", "model_path": "", "nmse": "",
	} {
		if facts[name] != want {
			t.Errorf("%s: %q, want %q", name, facts[name], want)
		}
	}
	for i, f := range Facts(nil, b) {
		if Facts(nil, a)[i] != f {
			t.Errorf("%v differs between equal runs", f)
		}
	}
	// Sweeps that vary other keys have the run in common.
	one := &plan.Header{ID: "s-12345678", Name: "s", Axes: []string{"seed"}}
	other := &plan.Header{ID: "s-12345678", Name: "s", Axes: []string{"steps", "k"}}
	if x, y := Facts(one, a), Facts(other, a); !slices.Equal(x, y) || !slices.Equal(one.Axes, []string{"seed"}) {
		t.Errorf("in one sweep\n%v\nin another\n%v", x, y)
	}
}

// Up to the limit a run leaves every tool's files.
func TestRunFormats(t *testing.T) {
	c := trainer.Config{ActivationDim: 1 << 10, DictSize: 1<<15 - 33}
	if got := RunFormats(c); WeightBytes(c) > RunLimit || len(got) != 3 {
		t.Errorf("%d bytes: %v", WeightBytes(c), got)
	}
	c.DictSize++
	for c.DictSize < 1<<15 && WeightBytes(c) <= RunLimit {
		c.DictSize++
	}
	if got := RunFormats(c); WeightBytes(c) <= RunLimit || len(got) != 1 || got[0] != "sparsify" {
		t.Errorf("%d bytes: %v", WeightBytes(c), got)
	}
}
