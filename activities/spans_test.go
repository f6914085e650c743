package activities

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

// A result says which steps were trained for how many runs: over all cells, the shares are the steps that were trained.
func TestSpansOfSharedRuns(t *testing.T) {
	src := toyGrid("g", "decay_start: [20, 24, 30], steps: [40], auxk_alpha: [0, 0.03125]", 300)
	for name, kill := range map[string]func() int64{"undisturbed": nil, "killed": func() int64 { return 3 }} {
		t.Run(name, func(t *testing.T) {
			w := submit(t, openDir(t), planOf(t, src))
			w.Build = "v1 0123"
			w.saveEveryStep()
			n := sweepAll(t, w, kill)
			share, most, builds := 0.0, 0, map[string]bool{}
			for _, r := range w.results(t) {
				at := int64(0)
				for _, s := range r.Spans {
					if s.From != at || s.To <= s.From || s.Cells < 1 || s.Class == "" || !(s.Seconds >= 0) {
						t.Fatalf("spans %+v", r.Spans)
					}
					at, most = s.To, max(most, s.Cells)
					share += float64(s.To-s.From) / float64(s.Cells)
					builds[s.Build] = true
				}
				last := r.Spans[len(r.Spans)-1]
				if at != int64(r.Config.Steps) || r.Class != last.Class || r.Device != last.Device || r.Build != last.Build {
					t.Errorf("result %+v with spans %+v", r, r.Spans)
				}
				if device, _ := w.backend.Bytes(r.Config); r.PeakBytes != device {
					t.Errorf("%d bytes, want %d", r.PeakBytes, device)
				}
				if !strings.HasPrefix(r.Class, "cpu ") {
					t.Errorf("class %q", r.Class)
				}
				if total := secondsIn(r.Spans); !(math.Abs(total-r.WallSeconds) <= 0.01) {
					t.Errorf("spans of %v s, wall_seconds %v", total, r.WallSeconds)
				}
				if len(r.Spans) > 12 { // a stage has one span for each build
					t.Errorf("%d spans: %+v", len(r.Spans), r.Spans)
				}
			}
			if !(math.Abs(share-float64(n.spans)) <= 1e-9*share) || most < 2 {
				t.Errorf("spans have %v steps, %d were trained; for %d runs at most", share, n.spans, most)
			}
			if !builds["v1 0123"] || (kill != nil) != builds[""] {
				t.Errorf("builds %v", builds) // the dying workers have no name
			}
		})
	}
}

func secondsIn(spans []ledger.Span) float64 {
	total := 0.0
	for _, s := range spans {
		total += s.Seconds
	}
	return total
}

// Held-out points are the same whether runs share prefixes, and whether workers die.
func TestSharedHeldOutPoints(t *testing.T) {
	src := strings.ReplaceAll(toyGrid("g", "decay_start: [120, 150, 180], steps: [200], auxk_alpha: [0, 0.03125]", 600),
		"eval_tokens: 64", "eval_tokens: 8")
	unshared := submit(t, openDir(t), planOf(t, src+"run: {share_prefixes: false}\n"))
	sweepAll(t, unshared, nil)
	want := outcomes(t, unshared)
	for _, c := range unshared.plan.Cells {
		curve, err := unshared.ledger.Curve(t.Context(), unshared.plan.RunID(c.ID))
		if err != nil {
			t.Fatal(err)
		}
		var at []int64
		for _, p := range curve {
			if p.EvalNMSE != nil {
				at = append(at, p.Step)
			}
		}
		if !reflect.DeepEqual(at, []int64{128, 192}) {
			t.Errorf("held-out points at steps %v", at)
		}
	}
	for name, kill := range map[string]func() int64{"shared": nil, "killed": func() int64 { return 9 }} {
		w := submit(t, openDir(t), planOf(t, src))
		sweepAll(t, w, kill)
		if !sameOutcome(t, outcomes(t, w), want) {
			t.Errorf("%s: other outcomes than unshared", name)
		}
	}
}

// A manifest that states no spans, or others than it can have, has one span of which only the seconds are known.
func TestSpansOfOldManifests(t *testing.T) {
	manifest := func(seconds, spans string) *storage.Manifest {
		m := &storage.Manifest{Step: 40, Meta: map[string]string{metaSeconds: seconds}}
		if spans != "" {
			m.Meta[metaSpans] = spans
		}
		return m
	}
	whole := []ledger.Span{{To: 40, Cells: 3, Seconds: 5, Class: "cpu avx2"}}
	for name, test := range map[string]struct {
		m    *storage.Manifest
		want []ledger.Span
	}{
		"none":         {manifest("12.5", ""), []ledger.Span{{To: 40, Seconds: 12.5}}},
		"no metadata":  {&storage.Manifest{Step: 40}, []ledger.Span{{To: 40}}},
		"no step":      {&storage.Manifest{}, nil},
		"whole":        {manifest("9", `[{"from":0,"to":40,"cells":3,"seconds":5,"class":"cpu avx2"}]`), whole},
		"newer field":  {manifest("9", `[{"from":0,"to":40,"cells":3,"seconds":5,"class":"cpu avx2","x":1}]`), whole},
		"a gap":        {manifest("9", `[{"from":0,"to":10},{"from":11,"to":40}]`), []ledger.Span{{To: 40, Seconds: 9}}},
		"too short":    {manifest("9", `[{"from":0,"to":39}]`), []ledger.Span{{To: 40, Seconds: 9}}},
		"backwards":    {manifest("9", `[{"from":0,"to":50},{"from":50,"to":40}]`), []ledger.Span{{To: 40, Seconds: 9}}},
		"negative":     {manifest("9", `[{"from":0,"to":40,"seconds":-1}]`), []ledger.Span{{To: 40, Seconds: 9}}},
		"cells":        {manifest("9", `[{"from":0,"to":40,"cells":-2}]`), []ledger.Span{{To: 40, Seconds: 9}}},
		"huge":         {manifest("9", `[{"from":0,"to":40,"seconds":1e999}]`), []ledger.Span{{To: 40, Seconds: 9}}},
		"no JSON":      {manifest("9", `{`), []ledger.Span{{To: 40, Seconds: 9}}},
		"null":         {manifest("9", `null`), []ledger.Span{{To: 40, Seconds: 9}}},
		"no seconds":   {manifest("NaN", ``), []ledger.Span{{To: 40}}},
		"minus":        {manifest("-3", ``), []ledger.Span{{To: 40}}},
		"infinite":     {manifest("+Inf", ``), []ledger.Span{{To: 40}}},
		"over a float": {manifest("1e999", ``), []ledger.Span{{To: 40}}},
	} {
		if got := spansOf(test.m); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// Damaged metadata fails no run: training goes on, and the result has what is known.
func TestRunWithDamagedSpans(t *testing.T) {
	// A list that fills a manifest would leave no room for the next span.
	long := `[{"from":0,"to":20,"class":"` + strings.Repeat("x", 1<<20-1200) + `"}]`
	for _, meta := range []map[string]string{
		nil, {metaSeconds: "NaN", metaSpans: `[{"from":3}]`}, {metaSpans: long},
	} {
		store, p := openDir(t), makePlan(t, nil)
		w := submit(t, store, p)
		c := p.Cells[1].Config
		state := trainer.NewState(c)
		trainUntil(t, store, p, 20)
		m, err := w.newest()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.checkpoints().RestoreAtMost(t.Context(), 20, decoder(c, state)); err != nil {
			t.Fatal(err)
		}
		body, err := trainer.Encode(c, state)
		if err != nil {
			t.Fatal(err)
		}
		claim, err := w.checkpoints().Claim(t.Context(), storage.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := claim.Save(t.Context(), storage.Checkpoint{
			Step: m.Step, Format: m.Format, Meta: meta, Body: body, Size: body.Size(),
		}); err != nil {
			t.Fatal(err)
		}
		w.finish()
		r, err := w.ledger.Result(t.Context(), w.id())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Spans) != 2 || r.Spans[0] != (ledger.Span{To: 20}) || r.Spans[1].Cells != 1 || r.Spans[1].To != steps {
			t.Errorf("spans %+v", r.Spans)
		}
	}
}

// The list of spans stays short, and what is merged is not made up.
func TestManySpans(t *testing.T) {
	var spans []ledger.Span
	for i := range 1000 {
		spans = appendSpan(spans, ledger.Span{
			From: int64(i), To: int64(i + 1), Cells: 1 + i/500, Seconds: 0.5,
			Class: "cpu", Device: "d", Build: fmt.Sprint(i % 2),
		})
	}
	if len(spans) != maxSpans || secondsIn(spans) != 500 || spans[0].Class != "cpu" || spans[0].Build != "" {
		t.Errorf("%d spans of %v s, the first %+v", len(spans), secondsIn(spans), spans[0])
	}
	cells := map[int]bool{}
	at := int64(0)
	for _, s := range spans {
		if s.From != at {
			t.Fatalf("a gap at step %d: %+v", at, s)
		}
		at, cells[s.Cells] = s.To, true
	}
	if at != 1000 || cells[0] || len(cells) != 2 {
		t.Errorf("to step %d, for %v runs", at, cells)
	}
	text, err := json.Marshal(spans)
	if got, ok := parseSpans(string(text), 1000); err != nil || !ok || !reflect.DeepEqual(got, spans) {
		t.Errorf("%v, read back %v", err, ok)
	}
	odd := mergeFirst([]ledger.Span{{To: 3, Cells: 4, Seconds: 1}, {From: 3, To: 5, Cells: 2, Seconds: 2, Class: "x"}})
	if want := []ledger.Span{{To: 5, Seconds: 3}}; !reflect.DeepEqual(odd, want) {
		t.Errorf("%+v, want %+v", odd, want)
	}
}

// A clock that is set back takes nothing from the time of earlier attempts.
func TestClockSetBack(t *testing.T) {
	before := []ledger.Span{{To: 3, Cells: 1, Seconds: 5}}
	k := checkpointer{seconds: 5, before: before, began: time.Unix(100, 0), attempt: ledger.Span{From: 3, Cells: 1}}
	m := &storage.Manifest{Step: 7, Meta: k.meta(7, time.Unix(10, 0))}
	if got, want := spansOf(m), []ledger.Span{{To: 7, Cells: 1, Seconds: 5}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := secondsOf(m); got != 5 {
		t.Errorf("%v s, want 5", got)
	}
}

// Whatever the metadata say, there are spans that a result can hold.
func FuzzSpans(f *testing.F) {
	f.Add(`[{"from":0,"to":40,"cells":3,"seconds":5}]`, "12.5", int64(40))
	f.Add(`[{"from":0,"to":4,"seconds":1e308},{"from":4,"to":9,"seconds":1e308,"build":"b"}]`, "x", int64(9))
	f.Add(`[]`, "-0", int64(0))
	f.Fuzz(func(t *testing.T, text, seconds string, step int64) {
		m := &storage.Manifest{Step: step, Meta: map[string]string{metaSpans: text, metaSeconds: seconds}}
		spans := spansOf(m)
		if step > 0 {
			spans = appendSpan(spans, ledger.Span{From: step, To: max(step, step+1), Seconds: 1})
		}
		if _, err := json.Marshal(ledger.Result{Spans: spans}); err != nil {
			t.Errorf("%+v: %v", spans, err)
		}
		k := checkpointer{before: spans, began: time.Unix(1, 0), attempt: ledger.Span{From: step}}
		if k.meta(step, time.Unix(0, 0))[metaSpans] == "" {
			t.Errorf("%+v have no JSON", spans)
		}
	})
}
