package plan

import (
	"math"

	"github.com/topksweep/sweep/trainer"
)

// A forecast is a tree with an assumption on when its first latent dies. It says
// how many steps the tree trains and how long that takes.
type forecast struct {
	Tree
	dead int // the first step in which a latent is dead
	cost Cost
}

// firstDead returns the earliest step of a run in which a latent can be dead: the
// tokens since a latent fired are at most those that the run has trained on.
func firstDead(c trainer.Config) int {
	r, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		return 0
	}
	step := max(c.DeadFeatureThreshold/int64(c.BatchSize)-1, 0)
	if step > math.MaxInt32 { // beyond every run, and tokens beyond it may not fit an int64
		return math.MaxInt32
	}
	for !r.Dead((step+1)*int64(c.BatchSize), c.DeadFeatureThreshold) {
		step++ // at most once
	}
	return int(step)
}

// reaches returns the step at which a stage ends.
func (f *forecast) reaches(s Stage) int {
	if s.Level.UntilDead() {
		return max(s.From, min(s.To, f.dead))
	}
	return s.To
}

// walk visits the stages that train at least one step, with the step at which
// each ends.
func (f *forecast) walk(visit func(s Stage, reached int)) {
	for todo := Roots(f.Cells); len(todo) > 0; {
		s := todo[len(todo)-1]
		reached := f.reaches(s)
		if reached > s.From {
			visit(s, reached)
		}
		todo = append(todo[:len(todo)-1], s.Next(reached)...)
	}
}
