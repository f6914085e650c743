package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

func ptr(x float64) *float64 { return &x }

// sample returns the results of a small sweep over k and decay_start. Two runs are completed, one failed, one is
// pending.
func sample() Rows {
	config := func(k, decayStart int) trainer.Config {
		return trainer.Config{
			Recipe: "corrected", ActivationDim: 64, DictSize: 4096, K: k, AuxKAlpha: 0.03125, KAux: 32,
			DecayStart: decayStart, Steps: 1000, BatchSize: 2048, LR: 2e-4 / math.Sqrt(0.25), ThresholdStartStep: 1000,
			ThresholdBeta: 0.999, DeadFeatureThreshold: 1e7, Precision: "f32",
		}
	}
	layer, firstDead := 8, int64(700)
	completed := func(id string, c trainer.Config, m trainer.Metrics) ledger.Result {
		return ledger.Result{
			Cell: id, Config: c, Metrics: m, Status: plan.Completed, Tokens: c.Tokens(), WallSeconds: 12.5,
			Data: "f00d", Scale: 0.125, Semantics: trainer.SemanticsVersion,
			Names: trainer.Names{
				LMName: "gpt2-small", Layer: &layer, SubmoduleName: "resid_post", HookName: "blocks.8.hook_resid_post",
				ModulePath: "h.8", ContextLength: 128, PrependBOS: new(true), DropSpecial: new(false),
			},
		}
	}
	return Rows{
		Plan: &plan.Header{Axes: []string{"k", "decay_start"}},
		Results: []ledger.Result{
			completed("00112233445566778899", config(16, 500), trainer.Metrics{
				L2Loss: 123.456789, NMSE: ptr(0.123456), FVU: ptr(0.123456), ExplainedVariance: ptr(0.876544),
				Cosine: ptr(0.93), L2Ratio: ptr(0.91), ReconstructionBias: ptr(0.99), L0: 15.99, AuxKLoss: ptr(0.75),
				DeadLatents: 12, DeadFraction: 12. / 4096, FirstDeadStep: &firstDead, SilentLatents: 100,
				AliveFraction: 1 - 100./4096, EvalTokens: 65536,
			}),
			completed("10112233445566778899", config(16, 800), trainer.Metrics{
				L2Loss: 9.87654321, NMSE: ptr(0.00987654), L0: 16, AuxKLoss: ptr(0), AliveFraction: 1, EvalTokens: 65536,
			}),
			{
				Cell: "20112233445566778899", Config: config(32, 500), Status: plan.Failed, Tokens: 34816, Data: "f00d",
				Error: "step 17: loss is NaN\n| of <1> `run`, " + strings.Repeat("and so on ", 10),
			},
			{Cell: "30112233445566778899", Config: config(32, 800), Status: plan.Pending, Data: "f00d"},
		},
	}
}

func write(t *testing.T, format string, rows Rows) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFormats(t *testing.T) {
	synthetic := sample()
	synthetic.Results = synthetic.Results[:2]
	synthetic.Results[0].Metrics.Recovery = ptr(0.987)
	synthetic.Results[0].Metrics.Recovered = ptr(0.9)
	all := sample()
	all.AllColumns = true
	all.Results[1].Threshold = ptr(0.0625)
	sinks := sample()
	sinks.Plan.Info = trainer.DataInfo{MedianNorm: 3, HugeShare: 0.987, LeftOut: 3}
	auxk := sample()
	auxk.Plan = &plan.Header{Axes: []string{"auxk_alpha", "k"}}
	steps := sample()
	steps.Plan = &plan.Header{Axes: []string{"steps", "k"}}
	for name, rows := range map[string]Rows{
		"sample": sample(), "synthetic": synthetic, "all": all, "sinks": sinks, "steps": steps, "auxk": auxk,
		"none": {Plan: &plan.Header{}}, "unplanned": {Results: sample().Results},
	} {
		for _, f := range table.Formats() {
			t.Run(name+"/"+f.Name, func(t *testing.T) {
				got := write(t, f.Name, rows)
				if second := write(t, f.Name, rows); !bytes.Equal(got, second) {
					t.Error("two equal results are written differently")
				}
				goldentest.Check(t, "testdata/"+name+"."+f.Extension, got)
			})
		}
	}
	err := Write(&bytes.Buffer{}, "xml", sample())
	if err == nil || !strings.Contains(err.Error(), "table, csv, json, jsonl, md, latex, parquet") {
		t.Errorf("xml: %v", err)
	}
}

// Results whose metrics follow older definitions are told apart in tables: by a column and by a note.
func TestOlderSemantics(t *testing.T) {
	rows := sample()
	if got := string(write(t, "table", rows)); strings.Contains(got, "semantics") {
		t.Errorf("results of this version are told apart:\n%s", got)
	}
	rows.Results[1].Semantics = 0 // as version 0.1.0 stored them
	for _, format := range []string{"table", "md"} {
		got := string(write(t, format, rows))
		if !strings.Contains(got, "semantics") || !strings.Contains(got, "1 of 2 results follow definitions of an earlier") {
			t.Errorf("%s:\n%s", format, got)
		}
	}
	values := string(write(t, "csv", rows))
	if n := strings.Count(values, "f00d,0.125,1,gpt2-small"); n != 1 {
		t.Errorf("%d results of version 1:\n%s", n, values)
	}
}

// TestTime checks that tables do not depend on the time that the runs took.
func TestTime(t *testing.T) {
	a, b := sample(), sample()
	b.Results[0].WallSeconds = 99
	for _, f := range []string{"table", "md"} {
		if !bytes.Equal(write(t, f, a), write(t, f, b)) {
			t.Errorf("%s depends on the time that the run took", f)
		}
	}
}

// TestReadBack reads CSV and JSON back: both hold every column, with all digits.
func TestReadBack(t *testing.T) {
	rows := sample()
	lines, err := csv.NewReader(bytes.NewReader(write(t, "csv", rows))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var objects []map[string]any
	if err := json.Unmarshal(write(t, "json", rows), &objects); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 5 || len(objects) != 4 {
		t.Fatalf("%d lines, %d objects", len(lines), len(objects))
	}
	for _, c := range Columns() {
		i := slices.Index(lines[0], c.Name)
		if i < 0 {
			t.Errorf("no column %s", c.Name)
			continue
		}
		for j, r := range rows.Results {
			if got := lines[j+1][i]; got != table.Print(c.get(&r)) {
				t.Errorf("%s of row %d: %q", c.Name, j, got)
			}
			v, ok := objects[j][c.Name]
			if !ok || (v == nil) != (table.Print(c.get(&r)) == "") {
				t.Errorf("%s of row %d: %v", c.Name, j, v)
			}
		}
	}
}

// TestNotFinite checks that no format writes NaN or Inf, which JSON cannot hold.
func TestNotFinite(t *testing.T) {
	rows := sample()
	rows.Results[0].Metrics.L2Loss = math.NaN()
	rows.Results[1].Metrics.NMSE = ptr(math.Inf(1))
	for _, f := range table.Formats() {
		out := string(write(t, f.Name, rows))
		if strings.Contains(out, "NaN,") || strings.Contains(out, "Inf") {
			t.Errorf("%s:\n%s", f.Name, out)
		}
	}
}

func TestSort(t *testing.T) {
	for _, c := range []struct {
		by   string
		want string
	}{
		{"nmse", "1023"}, {"-nmse", "0123"}, {"k", "0123"}, {"-k", "2301"}, {"-decay_start", "1302"},
		{"status", "0123"}, {"-cell", "3210"}, {"recovery", "0123"}, {"tokens", "2013"},
	} {
		rows := sample()
		if err := rows.Sort(c.by); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range rows.Results {
			got += r.Cell[:1]
		}
		if got != c.want {
			t.Errorf("by %s: %s, want %s", c.by, got, c.want)
		}
	}
	rows := sample()
	if err := rows.Sort("loss"); err == nil || !strings.Contains(err.Error(), "l2_loss") {
		t.Errorf("by loss: %v", err)
	}
}

// Two settings that differ never look equal in a table, however many digits tell them apart.
func TestSettingsInFull(t *testing.T) {
	rows := sample()
	for i, lr := range []float64{0.0010000001, 0.0010000002, 0.001, math.Nextafter(0.001, 1)} {
		rows.Results[i].Config.LR = lr
	}
	rows.Plan = &plan.Header{Axes: []string{"lr"}}
	for _, format := range []string{"table", "md"} {
		out := string(write(t, format, rows))
		for _, want := range []string{"0.0010000001", "0.0010000002", " 0.001 ", "0.0010000000000000002"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s has no %s:\n%s", format, want, out)
			}
		}
	}
}

// A table shows the cause of a failure, which stands at the end of its error, and below it the errors that it
// shortens.
func TestReasons(t *testing.T) {
	chain := "train stage: restore checkpoint 0123456789: open the data: " + strings.Repeat("a link: ", 20)
	cause := "step 17: the loss is NaN"
	long := strings.Repeat("a cause without a link ", 8) + "ends"
	full := strings.Repeat("x", maxReasonLength)
	for _, c := range []struct{ message, want string }{
		{cause, cause},
		{"a\n\tb", "a b"},
		{chain + cause, "… " + strings.Repeat("a link: ", 11) + cause},
		{chain + "é" + long, "… a link: é" + long},
		{chain + long + ": do that", "… " + long + ": do that"},
		{long, long},
		{full, full},
		{"a: " + full, "a: " + full},
		{"a: b: " + full, "… b: " + full},
	} {
		if got := Cause(c.message); got != c.want {
			t.Errorf("%q: %q, want %q", c.message, got, c.want)
		}
	}
	rows := sample()
	rows.Results[2].Error, rows.Results[3].Error = chain+cause+"\nand more", "short: cause"
	for format, bullet := range map[string]string{"table": "", "md": "- "} {
		out := string(write(t, format, rows))
		whole := "\n" + bullet + "2011223344  " + chain + cause + " and more\n"
		if !strings.Contains(out, whole) || strings.Count(out, cause+" and more") != 2 ||
			strings.Count(out, "short: cause") != 1 {
			t.Errorf("%s:\n%s", format, out)
		}
	}
}

// What stands below a table is text, not Markdown, and in LaTeX a comment on one line.
func TestBelow(t *testing.T) {
	for format, want := range map[string]string{"md": "\n- a \\<b> \\| c\n", "latex": "\n% a <b> | c\n% a note\n"} {
		f, err := table.FormatOf(format)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		in := table.Table{Columns: []table.Column{{Name: "k"}}}
		err = WriteBelow(&b, f, in, []string{"a <b>\n| c"}, []string{"a\nnote"})
		if err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("%s: %v\n%s", format, err, &b)
		}
	}
}

// The columns about huge rows are in tables where they say something, and a note where they say much.
func TestHugeRowsInTables(t *testing.T) {
	for _, tt := range []struct {
		info               trainer.DataInfo
		share, left, noted bool
	}{
		{trainer.DataInfo{}, false, false, false},
		{trainer.DataInfo{HugeShare: 0.9}, false, false, false}, // a plan of version 0.1.0 has no median norm
		{trainer.DataInfo{MedianNorm: 2}, false, false, false},
		{trainer.DataInfo{MedianNorm: 2, HugeShare: 0.1}, false, false, false},
		{trainer.DataInfo{MedianNorm: 2, HugeShare: 0.11, LeftOut: 1}, true, true, false},
		{trainer.DataInfo{MedianNorm: 2, HugeShare: 0.5}, true, false, false},
		{trainer.DataInfo{MedianNorm: 2, HugeShare: 0.51}, true, false, true},
		{trainer.DataInfo{MedianNorm: 2, LeftOut: 7}, false, true, false},
	} {
		rows := sample()
		rows.Plan.Info = tt.info
		for _, format := range []string{"table", "md"} {
			text := string(write(t, format, rows))
			header, _, _ := strings.Cut(text, "status")
			if strings.Contains(header, "huge_rows_share") != tt.share || strings.Contains(header, "rows_left_out") != tt.left ||
				strings.Contains(text, "about those rows") != tt.noted {
				t.Errorf("%+v: %s", tt, text)
			}
		}
		rows.Plan.Info.FarRows, rows.Plan.Info.EvalRows = 7, 800
		far := tt.info.MedianNorm > 0 && !tt.noted // one note on rows is enough
		if text := string(write(t, "table", rows)); strings.Contains(text, "is in 7 of 800 of them") != far {
			t.Errorf("%+v: %s", tt, text)
		}
		known := tt.info.MedianNorm > 0
		if text := string(write(t, "json", rows)); strings.Contains(text, `"rows_left_out": null`) == known {
			t.Errorf("%+v: %s", tt, text)
		}
	}
}
