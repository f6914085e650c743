package plan

import (
	"math"
	"math/rand/v2"
	"testing"
)

// planOfCells lays cells out as a plan.
func planOfCells(r *rand.Rand) *Plan {
	p := &Plan{Header: *testHeader(), Cells: randomCells(r)}
	p.Trees = newTrees(&p.Header, p.Cells)
	return p
}

// At its beginning, a schedule takes as long as the plan says: both follow the workflow.
func TestScheduleFromTheBeginning(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	for i := range 200 {
		p := planOfCells(r)
		slots, cost := 1+r.IntN(5), Cost{0.5, 0.25, 2, 3}
		var trees []forecast
		for _, tree := range p.Trees {
			dead := math.MaxInt
			if i%2 == 0 {
				dead = firstDead(p.Cells[tree.Cells[0].Cell].Config)
			}
			trees = append(trees, forecast{Tree: tree, dead: dead, cost: cost})
		}
		got := NewSchedule(p).Left(Standing{
			Over: func(int) bool { return false }, Trunk: func(int) int { return 0 }, Slots: slots, Dying: i%2 == 0,
			Cost: func(int) Cost { return cost },
		})
		if want := makespan(trees, slots); math.Abs(got-want) > 1e-9 {
			t.Fatalf("plan %d, %d slots: %v s, the plan says %v s", i, slots, got, want)
		}
	}
}

// What is left of a tree follows from where its stages are. Two cells share 51 steps; they end at steps 100 and 200.
func TestScheduleFromTheMiddle(t *testing.T) {
	cells := []TreeCell{{Cell: 0, Decay: 51, Steps: 100}, {Cell: 1, Decay: 51, Steps: 200}}
	s := &Schedule{
		trees:  []forecast{{Tree: Tree{Family: "a", Weight: 1, Cells: cells}}},
		treeOf: map[int]int{0: 0, 1: 0},
	}
	prefix := float64(cells[0].prefixSteps())
	trunk := InFlight{Cells: []int{0, 1}, To: cells[0].prefixSteps(), Step: 11}
	branch := InFlight{Cells: []int{1}, From: cells[0].prefixSteps(), Step: 150, To: 200}
	for _, x := range []struct {
		name     string
		inFlight []InFlight
		over     int // cell; -1 for none
		trunk    int // as far as it is known
		slots    int
		run      float64 // seconds of an evaluation
		want     float64
	}{
		{"nothing has begun", nil, -1, 0, 1, 0, prefix + (100 - prefix) + (200 - prefix)},
		{"nothing has begun, two slots", nil, -1, 0, 2, 0, 200},
		{"the trunk trains", []InFlight{trunk}, -1, 0, 2, 0, 200 - 11},
		{"the second trains, the first waits", []InFlight{branch}, -1, 0, 1, 0, 50 + (100 - prefix)},
		{"the second trains, the first is over", []InFlight{branch}, 0, 0, 1, 0, 50},
		{"the first is over, the second waits", nil, 0, 0, 1, 0, 200 - prefix},
		{"both wait", nil, -1, cells[0].prefixSteps(), 1, 0, (100 - prefix) + (200 - prefix)},
		{"one is evaluated", []InFlight{{Cells: []int{1}, Evaluation: true, Spent: 1}}, 0, 0, 1, 3, 2},
	} {
		got := s.Left(Standing{
			Over: func(c int) bool { return c == x.over }, InFlight: x.inFlight, Slots: x.slots,
			Trunk: func(int) int { return x.trunk }, Cost: func(int) Cost { return Cost{Step: 1, Run: x.run} },
		})
		if math.Abs(got-x.want) > 1e-9 {
			t.Errorf("%s: %v s, want %v s", x.name, got, x.want)
		}
	}
}
