package page

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// Every input gives a page, the same bytes each time, and the data cannot end the script that holds them.
func TestWrite(t *testing.T) {
	for name, in := range samples(t) {
		t.Run(name, func(t *testing.T) {
			var a, b bytes.Buffer
			if err := Write(&a, in); err != nil {
				t.Fatal(err)
			}
			if err := Write(&b, in); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Error("two equal inputs give different pages")
			}
			if n := strings.Count(a.String(), "</script>"); n != 2 {
				t.Errorf("%d ends of scripts", n)
			}
			text := strings.ReplaceAll(a.String(), "http://www.w3.org/2000/svg", "")
			if found := regexp.MustCompile(`<img|https?://`).FindString(text); found != "" {
				t.Errorf("the page has %s", found)
			}
		})
	}
}

// A report of 1,000 cells has at most 2 MB.
func TestSize(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, Input{Sweeps: []Sweep{sampleSweep(t, largeGrid, nil)}}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", b.Len())
	if b.Len() > 2_000_000 {
		t.Errorf("%d bytes", b.Len())
	}
}

func TestKeep(t *testing.T) {
	var steps []int64
	for i := range int64(1000) {
		steps = append(steps, i*i)
	}
	heldOut := func(i int) bool { return i%10 == 0 }
	for _, n := range []int{2, 8, 24, 200, 999, 1000, 2000} {
		got := keep(steps, n, heldOut)
		if len(got) > max(n, 2) || got[0] != 0 || got[len(got)-1] != 999 {
			t.Errorf("%d: %v", n, got)
		}
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Fatalf("%d: not ascending: %v", n, got)
			}
			if i+1 == len(got) || len(got) == len(steps) || heldOut(got[i]) {
				continue
			}
			for d := 1; d <= 2; d++ { // a point close by that has a held-out value goes before
				if heldOut(got[i]+d) && got[i]+d < 999 || heldOut(got[i]-d) && got[i]-d > got[i-1] {
					t.Errorf("%d: point %d is kept, and not the held-out one close by", n, got[i])
				}
			}
		}
	}
	if got := keep(nil, 8, heldOut); len(got) != 0 {
		t.Errorf("of no steps: %v", got)
	}
	for _, c := range []struct{ curves, want int }{{0, 200}, {1, 200}, {120, 200}, {1000, 24}, {10_000, 8}} {
		if got := pointsEach(c.curves); got != c.want {
			t.Errorf("of %d curves %d points each, want %d", c.curves, got, c.want)
		}
	}
}

// The stages of a tree follow what the results tell of dead latents, and time is counted once for each stage.
func TestForest(t *testing.T) {
	s := sampleSweep(t, smallGrid, nil)
	f := newForest(s, 100)
	if len(f.Trees) != 4 || len(f.Alone) != 0 || f.Untimed != 0 {
		t.Fatalf("%d trees, %d cells alone, %d stages without time", len(f.Trees), len(f.Alone), f.Untimed)
	}
	unshared := int64(0)
	for _, c := range s.Plan.Cells {
		unshared += int64(c.Config.Steps)
	}
	if f.Steps+f.StepsSaved != unshared {
		t.Errorf("%d steps and %d saved are not %d", f.Steps, f.StepsSaved, unshared)
	}
	if !(abs(*f.Spent-float64(f.Steps)/100) < 1e-9) || !(abs(*f.Saved-float64(f.StepsSaved)/100) < 1e-9) {
		t.Errorf("%g s spent, %g s saved, %d and %d steps", *f.Spent, *f.Saved, f.Steps, f.StepsSaved)
	}
	rows := map[int]bool{}
	dead := false
	for _, tr := range f.Trees {
		for i, st := range tr.Stages {
			dead = dead || st.To == 360
			if st.Parent >= i || st.From >= st.To {
				t.Errorf("stage %d: %+v", i, st)
			}
			if st.Parent >= 0 && tr.Stages[st.Parent].To != st.From {
				t.Errorf("stage %d begins at %d, and its parent ends at %d", i, st.From, tr.Stages[st.Parent].To)
			}
			for _, row := range st.Cells {
				rows[row] = true
			}
		}
	}
	if len(rows) != 24 || !rows[100] || !rows[123] || !dead {
		t.Errorf("%d rows, a fork where a latent died: %t", len(rows), dead)
	}
	old := sampleSweep(t, smallGrid, nil)
	for i := range old.Results {
		old.Results[i].Spans = nil
	}
	if f := newForest(old, 0); f.Spent != nil || f.Saved != nil || f.Untimed == 0 {
		t.Errorf("without spans: %+v", fmt.Sprint(f.Spent, f.Saved, f.Untimed))
	}
}

func abs(v float64) float64 { return max(v, -v) }

// After an extension, steps that the new cells trained again count as trained, and what is shared counts once, although
// the stages of the joined trees are other ones than those that were trained.
func TestForestExtended(t *testing.T) {
	const text = `
name: grown
data: {synthetic: {activation_dim: 64, directions: 128, tokens: 100000, active: 4}}
parameters: {decay_start: [0.5, 0.8]}
train: {steps: 600, batch_size: 256, lr: 0.002, k: 8, dict_size: 512}
`
	p := planOf(t, text)
	if added, err := p.Extend(planOf(t, strings.Replace(text, "[0.5, 0.8]", "[0.65]", 1))); err != nil || added != 1 {
		t.Fatal(added, err)
	}
	_, chunks := p.ChunkedTrees() // those of the new cell, as a store has them behind the others
	for _, c := range chunks {
		p.Trees = append(p.Trees, c...)
	}
	span := func(from, to int64, cells int, seconds float64) ledger.Span {
		return ledger.Span{From: from, To: to, Cells: cells, Seconds: seconds}
	}
	trunk := span(0, 301, 2, 3)
	results := make([]ledger.Result, 3)
	for i, last := range []ledger.Span{span(301, 600, 1, 5), span(301, 600, 1, 5), span(301, 600, 1, 7)} {
		results[i] = ledger.NewResult(&p.Header, p.Cells[i], plan.Completed)
		results[i].Spans = []ledger.Span{trunk, last}
	}
	f := newForest(Sweep{Plan: p, Results: results}, 0)
	if f.Spent == nil || *f.Spent != 20 || *f.Saved != 6 || f.Steps != 301+3*299 || f.StepsSaved != 2*301 {
		t.Errorf("%v s spent, %v s saved, %d steps, %d saved", *f.Spent, *f.Saved, f.Steps, f.StepsSaved)
	}
	// A stage that no cell was trained in by itself takes its share of the span that passes through it.
	i := slices.IndexFunc(f.Trees[0].Stages, func(s stage) bool { return s.From == 301 && s.To == 391 })
	if want := 7 * 90.0 / 299; i < 0 || !(abs(*f.Trees[0].Stages[i].Seconds-want) <= 1e-12) {
		t.Errorf("stages %+v: want one from 301 to 391 that took %g s", f.Trees[0].Stages, want)
	}
	// What has no result yet is planned.
	results[2] = ledger.NewResult(&p.Header, p.Cells[2], plan.Pending)
	if f := newForest(Sweep{Plan: p, Results: results}, 0); *f.Spent != 13 || *f.Saved != 3 || f.Untimed != 1 ||
		f.StepsOpen != 600-391 {
		t.Errorf("%v s spent, %v s saved, %d stages with %d steps are open", *f.Spent, *f.Saved, f.Untimed, f.StepsOpen)
	}
}
