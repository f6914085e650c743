package workflows

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// longRun is an environment variable: the number of seeds of TestSteerAtRandom.
const longRun = "SWEEP_STEER_SEEDS"

// A sweep that is steered at random ends, and every cell has a result, has failed, or is canceled. The sim checks what
// must hold on the way.
func TestSteerAtRandom(t *testing.T) {
	seeds := 60
	if n, err := strconv.Atoi(os.Getenv(longRun)); err == nil {
		seeds = n
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { steerAtRandom(t, uint64(seed)) })
	}
}

func FuzzSteer(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(1000 + seed)
	}
	f.Fuzz(steerAtRandom)
}

// calm is when people stop to steer a random sweep: it is resumed, and all cells are retried. Nothing fails after it.
const calm = time.Hour

func steerAtRandom(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 12))
	s := newSim(t, randomChunks(r)...)
	s.dead, s.plain = r.IntN(2)*r.IntN(120), r.IntN(4)/3
	s.saving, s.late = time.Duration(r.IntN(10))*time.Second, r.IntN(3) == 0
	s.takes = randomTakes(r, s)
	if seed%2 == 1 {
		s.short = time.Duration(1+r.IntN(7000)) * time.Millisecond
		s.dies = func(int) (int, bool) { return r.IntN(4), r.IntN(6) == 0 }
	}
	slots := 1 + r.IntN(6)
	s.live = func(s *sim) protocol.Live { return randomLook(r, s) }
	in := s.input(slots)
	in.Size = s.size(1)
	in.Attributes = []string{protocol.AttrState, protocol.AttrDone, protocol.AttrBestNMSE}
	for c := range in.Cells {
		if r.IntN(10) == 0 {
			s.results[c] = true // of an earlier sweep
		}
	}
	randomSteering(r, s)
	cancel, limit := r.IntN(8) == 0, r.IntN(8) == 0
	if cancel {
		s.doAt(time.Duration(r.IntN(int(calm))), func(s *sim) { s.env.CancelWorkflow() })
	}
	if limit {
		in.FailureLimit = 1 + r.IntN(3)
	}
	s.at(calm, protocol.UpdateResume)
	s.at(calm+time.Second, protocol.UpdateRetry)
	got, err := s.run(in)
	if got.Cells == 0 {
		got = progressOf(t, s.env).Summary
	}
	sum, ended := got.Completed+got.Failed+got.Canceled, endedWith(err)
	retried := s.now.Sub(simStart) > calm || s.env.Now().Sub(simStart) > calm+time.Minute
	switch {
	case ended == "canceled" && cancel, ended == protocol.ErrTypeFailed && limit: // results of before are not all counted
		if done := s.cellsWith(plan.Completed); got.Completed > len(done) || sum > got.Cells {
			t.Errorf("%+v, results of %v", got, done)
		}
		return
	case ended != "" && (ended != protocol.ErrTypeFailed || got.Failed == 0):
		t.Errorf("ended with %v", err)
	case sum != got.Cells:
		t.Errorf("%+v: %d cells are not accounted for", got, got.Cells-sum)
	case retried && ended == "" && got.Completed != got.Cells && s.todo[len(s.todo)-1].sent && s.acceptedRetry():
		t.Errorf("%+v: want all cells completed after the last retry", got)
	}
	s.wantCounts(got)
	if t.Failed() {
		for _, a := range s.answers {
			t.Logf("%s: %s %q %s %v %v", a.at, a.update, a.Did, a.State, a.Steered.Cells, a.err)
		}
		t.Logf("seed %d, %d slots, dead %d, plain %d, late %t: %d histories, began %q", seed, slots, s.dead, s.plain, s.late,
			len(s.inputs), s.began)
	}
}

// acceptedRetry reports whether the last update, which retries all cells, was answered.
func (s *sim) acceptedRetry() bool {
	last := s.answers[len(s.answers)-1]
	return last.update == protocol.UpdateRetry && last.err == nil && last.at > calm
}

// randomChunks returns one to three chunks of trees: single cells, and trees of up to eight. A family may have two
// trees. No two cells of a family are equal.
func randomChunks(r *rand.Rand) (chunks [][]plan.Tree) {
	type settings struct {
		family string
		of     plan.TreeCell
	}
	cell, used := 0, map[settings]bool{}
	for range 1 + r.IntN(3) {
		var trees []plan.Tree
		for i := range 1 + r.IntN(8) {
			tree := plan.Tree{Family: fmt.Sprintf("f%d.%d", len(chunks), i), Weight: 1 + float64(r.IntN(3))}
			if len(trees) > 0 && r.IntN(5) == 0 {
				tree.Family, tree.Weight = trees[len(trees)-1].Family, trees[len(trees)-1].Weight
			}
			for range 1 + r.IntN(2)*r.IntN(8) {
				steps := 50 * (1 + r.IntN(3))
				c := plan.TreeCell{Steps: steps, Decay: 1 + r.IntN(2)*r.IntN(steps-1), AuxK: r.IntN(2)}
				if used[settings{tree.Family, c}] {
					continue
				}
				used[settings{tree.Family, c}] = true
				c.Cell = cell
				tree.Cells = append(tree.Cells, c)
				cell++
			}
			if len(tree.Cells) == 0 {
				continue
			}
			trees = append(trees, tree)
		}
		chunks = append(chunks, trees)
	}
	return chunks
}

// randomTakes returns how long activities take, and how they end. Before calm some fail.
func randomTakes(r *rand.Rand, s *sim) func(activity string, cell, n int) (time.Duration, error) {
	lost := temporal.NewNonRetryableApplicationError("lost", protocol.ErrTypeLost, nil)
	return func(activity string, _, _ int) (time.Duration, error) {
		takes, may := time.Duration(r.IntN(20))*time.Second, s.env.Now().Sub(simStart) < calm
		switch activity {
		case protocol.ActivityTrain:
			return 20 * takes, errIf(may && r.IntN(12) == 0, errFinal)
		case protocol.ActivityEval:
			if may && r.IntN(10) == 0 {
				return takes, lost
			}
			return takes, errIf(may && r.IntN(12) == 0, errFinal)
		case protocol.ActivityLook:
			return takes / 10, errIf(r.IntN(4) == 0, errFinal)
		}
		return takes * time.Duration(r.IntN(2)), nil
	}
}

func randomLook(r *rand.Rand, s *sim) protocol.Live {
	live := protocol.Live{Slots: r.IntN(4), OwnersSweeps: r.IntN(3)}
	for _, f := range s.flights {
		l := protocol.LiveStage{ID: f.id, Cell: f.cell, State: []plan.Status{plan.Waiting, plan.Training}[r.IntN(2)]}
		live.Stages = append(live.Stages, l)
	}
	return live
}

// randomSteering adds updates, and histories that are full.
func randomSteering(r *rand.Rand, s *sim) {
	chunks, settings := 1, false
	var times []time.Duration
	for range r.IntN(30) {
		times = append(times, time.Duration(r.IntN(int(calm/time.Second)/(1+r.IntN(8))))*time.Second)
	}
	slices.Sort(times)
	for _, at := range times {
		some := protocol.Selection{}
		for range 1 + r.IntN(6) {
			some.Cells = append(some.Cells, r.IntN(s.size(chunks).Cells))
		}
		switch r.IntN(12) {
		case 0, 1:
			s.at(at, protocol.UpdatePause)
			s.at(at+time.Duration(r.IntN(600))*time.Second, protocol.UpdateResume)
		case 2:
			s.at(at, protocol.UpdateResume)
		case 3, 4, 5:
			s.at(at, protocol.UpdateCancel, some)
		case 6:
			s.at(at, protocol.UpdateRetry, some)
		case 7:
			s.at(at, protocol.UpdateRetry)
		case 8:
			// The sim knows what holds after one of them alone.
			if !settings {
				s.at(at, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 1 + r.IntN(6)})
			}
			settings = r.IntN(2) == 0
		case 9:
			s.at(at, protocol.UpdatePriority,
				[]protocol.Priority{protocol.PriorityHigh, protocol.PriorityNormal, protocol.PriorityLow}[r.IntN(3)])
		case 10:
			if chunks < len(s.chunks) {
				chunks++
				s.at(at, protocol.UpdateExtend, protocol.Extension{Size: s.size(chunks)})
			}
		case 11:
			s.doAt(at, full)
		}
	}
}
