package page

import (
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// A stage is one stage of a tree in the picture of a sweep.
type stage struct {
	Parent  int      `json:"up"`              // index of the stage at whose end it begins; -1 for none
	Level   string   `json:"level"`           // as plan.Level names it
	From    int      `json:"from"`            // steps
	To      int      `json:"to"`              // steps
	Count   int      `json:"n"`               // cells that pass through it
	Cells   []int    `json:"cells,omitempty"` // rows of the results, where the stage completes runs
	First   int      `json:"first"`           // row of the first cell that passes through it
	Seconds *float64 `json:"sec,omitempty"`   // spent in training it; null if no result tells
}

// A tree is the stages of one plan.Tree, parents before children, in the order in which they are drawn from the top.
type tree struct {
	Stages []stage `json:"stages"`
}

// A forest is the trees of a sweep with what they cost and save.
type forest struct {
	Trees []tree `json:"trees"` // those in which cells share stages
	Alone []int  `json:"alone"` // rows of the cells that share no stage

	Steps      int64    `json:"steps"`       // that were trained, and those of the stages that no result tells of
	StepsOpen  int64    `json:"steps_open"`  // those of Steps that no result tells of: not trained yet, or in vain
	StepsSaved int64    `json:"steps_saved"` // training each cell alone would take so many more
	Spent      *float64 `json:"spent_s"`     // seconds that the results tell of, each span once
	Saved      *float64 `json:"saved_s"`     // seconds that training these cells alone would have taken more
	Untimed    int      `json:"untimed"`     // stages that no result tells the time of
	AloneSpent *float64 `json:"alone_s"`     // seconds, of the cells in Alone
	AloneSteps int64    `json:"alone_steps"` // of the cells in Alone
}

// newForest lays out the stages of a sweep. A trunk ends where the plan says, or at the first step in which a latent
// was dead, as the results of its cells tell. offset is the row of the sweep's first result.
func newForest(s Sweep, offset int) forest {
	out := forest{Trees: []tree{}, Alone: []int{}}
	add := func(to **float64, v float64) {
		if *to == nil {
			*to = new(float64)
		}
		**to += v
	}
	for _, t := range families(s.Plan) {
		drawn, done := newTree(t, s.Results, offset)
		steps := done.steps
		for _, st := range drawn.Stages {
			if st.Seconds == nil {
				out.Untimed++
				out.StepsOpen += int64(st.To - st.From)
				steps += int64(st.To - st.From)
			}
		}
		out.Steps += steps
		out.StepsSaved -= steps
		for _, c := range t.Cells {
			out.StepsSaved += int64(s.Plan.Cells[c.Cell].Config.Steps)
		}
		if done.steps > 0 {
			add(&out.Spent, done.seconds)
			add(&out.Saved, done.unshared-done.seconds)
		}
		if len(t.Cells) > 1 {
			out.Trees = append(out.Trees, drawn)
			continue
		}
		for _, st := range drawn.Stages {
			out.Alone = append(out.Alone, st.Cells...)
			out.AloneSteps += int64(st.To - st.From)
			if st.Seconds != nil {
				add(&out.AloneSpent, *st.Seconds)
			}
		}
	}
	return out
}

// families returns the trees of a plan, those of one family joined: a large family has several, and so has one that an
// extension added cells to. What their cells share was trained once all the same.
func families(p *plan.Plan) []plan.Tree {
	var out []plan.Tree
	index := map[string]int{}
	for _, t := range p.Trees {
		i, ok := index[t.Family]
		if !ok {
			i = len(out)
			index[t.Family] = i
			out = append(out, plan.Tree{Family: t.Family})
		}
		out[i].Cells = append(out[i].Cells, t.Cells...)
	}
	type setting struct {
		alpha float64
		k     int
	}
	for _, t := range out {
		numbers := map[setting]int{} // each tree numbers the settings of AuxK by itself
		for i, c := range t.Cells {
			config := p.Cells[c.Cell].Config
			s := setting{config.AuxKAlpha, config.KAux}
			if _, ok := numbers[s]; !ok {
				numbers[s] = len(numbers)
			}
			t.Cells[i].AuxK = numbers[s]
		}
	}
	return out
}

// A trained is what the results of a tree's cells tell of their training.
type trained struct {
	steps    int64
	seconds  float64
	unshared float64 // seconds if each cell had been trained alone
	seen     map[spanKey]bool
}

// A spanKey tells spans apart: one that several cells have ends in a stage that is theirs. After an extension a stage
// of the joined trees may have been trained more than once: by cells of the first plan, and again by those that were
// added and found no checkpoint at its end.
type spanKey struct {
	stage   int // index, of its last step
	from    int64
	seconds float64
}

// add counts the spans of a cell that end in a stage.
func (t *trained) add(stage int, s plan.Stage, reached int, spans []ledger.Span) {
	for _, span := range spans {
		if span.To <= int64(s.From) || span.To > int64(reached) || span.To <= span.From || !(span.Seconds >= 0) {
			continue
		}
		t.unshared += span.Seconds
		key := spanKey{stage, span.From, span.Seconds}
		if !t.seen[key] {
			t.seen[key] = true
			t.steps += span.To - span.From
			t.seconds += span.Seconds
		}
	}
}

func newTree(t plan.Tree, results []ledger.Result, offset int) (tree, trained) {
	out := tree{Stages: []stage{}}
	done := trained{seen: map[spanKey]bool{}}
	var add func(s plan.Stage, parent int)
	add = func(s plan.Stage, parent int) {
		reached := reaches(s, results)
		at := parent
		if reached > s.From { // else it ends before it begins: a latent is dead at once
			at = len(out.Stages)
			st := stage{
				Parent: parent, Level: s.Level.String(), From: s.From, To: reached, Count: len(s.Cells),
				First: offset + s.Cells[0].Cell, Seconds: seconds(s, reached, results),
			}
			if s.CompletesRuns(reached) {
				for _, c := range s.Cells {
					st.Cells = append(st.Cells, offset+c.Cell)
				}
			}
			for _, c := range s.Cells {
				if c.Cell < len(results) {
					done.add(at, s, reached, results[c.Cell].Spans)
				}
			}
			out.Stages = append(out.Stages, st)
		}
		for _, next := range s.Next(reached) {
			add(next, at)
		}
	}
	for _, s := range plan.Roots(t.Cells) {
		add(s, -1)
	}
	return out, done
}

// reaches returns the step at which a stage has ended, or will end if no latent is dead until then.
func reaches(s plan.Stage, results []ledger.Result) int {
	if !s.Level.UntilDead() {
		return s.To
	}
	for _, c := range s.Cells {
		if c.Cell >= len(results) || results[c.Cell].Metrics.FirstDeadStep == nil {
			continue
		}
		if dead := int(*results[c.Cell].Metrics.FirstDeadStep); dead < s.To {
			return max(s.From, dead)
		}
	}
	return s.To
}

// seconds returns the time that the steps of a stage up to reached took: what the spans of the first cell's result say,
// whose result has all of them. A span that is longer counts with its share of steps.
func seconds(s plan.Stage, reached int, results []ledger.Result) *float64 {
	for _, c := range s.Cells {
		if c.Cell >= len(results) {
			continue
		}
		covered, sum := int64(0), 0.0
		for _, span := range results[c.Cell].Spans {
			from, to := max(span.From, int64(s.From)), min(span.To, int64(reached))
			if to > from && span.Seconds >= 0 {
				covered += to - from
				sum += span.Seconds * float64(to-from) / float64(span.To-span.From)
			}
		}
		if covered == int64(reached-s.From) {
			return &sum
		}
	}
	return nil
}
