package activities

import (
	"errors"

	"github.com/topksweep/sweep/trainer"
)

// errDead ends a stage in the step in which the first latent is dead: it is one
// step too far.
var errDead = errors.New("a latent is dead")

// untilDead watches over a stage that several settings of AuxK share: it is one
// and the same for all of them until AuxK has a dead latent to act on. That
// shows only when the step is done, so before each step in which a latent may
// turn out to be dead the state is copied. There are few: a latent on the brink
// fires in the next step, or is dead.
type untilDead struct {
	loop   *trainer.Loop
	cfg    trainer.Config
	recipe trainer.Recipe
	state  *trainer.State // before the step under way, if that may be one too far
	armed  bool
}

// watch begins with the state s that the loop has. It returns nil for a stage
// that trains on whatever dies.
func watch(on bool, loop *trainer.Loop, c trainer.Config, s *trainer.State) (*untilDead, error) {
	if !on {
		return nil, nil
	}
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		return nil, err
	}
	u := &untilDead{loop: loop, cfg: c, recipe: recipe}
	var most int64
	for _, n := range s.SinceFired {
		most = max(most, n)
	}
	return u, u.arm(most)
}

// arm copies the state if a latent that fired most tokens ago is dead unless it
// fires in the next step.
func (u *untilDead) arm(most int64) error {
	u.armed = u.recipe.Dead(most+int64(u.cfg.BatchSize), u.cfg.DeadFeatureThreshold)
	if !u.armed {
		return nil
	}
	if u.state == nil {
		u.state = trainer.NewState(u.cfg)
	}
	return u.loop.Save(u.state)
}

// step looks at a step that is done. The error is errDead if it was one too far;
// the state before it is then in u.state.
func (u *untilDead) step(s trainer.Stats) error {
	if u == nil {
		return nil
	}
	if s.Dead > 0 {
		if !u.armed {
			return errors.New("a latent is dead that fired within the threshold: the backend miscounts")
		}
		return errDead
	}
	return u.arm(s.MaxSinceFired)
}
