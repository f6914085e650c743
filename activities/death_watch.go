package activities

import (
	"errors"

	"github.com/topksweep/sweep/trainer"
)

// errDead ends a stage after the first step in which a latent was dead. That step is
// one too many: it does not belong to the stage.
var errDead = errors.New("a latent is dead")

// A deathWatch ends a stage that several settings of AuxK share before the first
// step in which a latent is dead: up to there the stage is the same for all of
// them, because AuxK has no dead latent to act on.
//
// A death shows only when its step is done. So the state is copied before each
// step in which a latent may turn out to be dead. Example with a threshold of
// 1,000 tokens and batches of 256: after a step some latent has not fired for 768
// tokens. If it does not fire in the next batch, it is dead with 1,024, so the
// state is copied first. If it fires, training goes on; if not, the copy is the
// fork. Such steps are rare.
type deathWatch struct {
	loop   *trainer.Loop
	cfg    trainer.Config
	recipe trainer.Recipe
	copied bool           // before holds the state, because the next step may be one too many
	before *trainer.State // the state before the step in progress
}

// newDeathWatch begins with the state s that the loop has.
func newDeathWatch(loop *trainer.Loop, c trainer.Config, s *trainer.State) (*deathWatch, error) {
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		return nil, err
	}
	w := &deathWatch{loop: loop, cfg: c, recipe: recipe}
	var most int64
	for _, n := range s.SinceFired {
		most = max(most, n)
	}
	return w, w.copyState(most)
}

// copyState copies the state if a latent that fired most tokens ago is dead
// unless it fires in the next step.
func (w *deathWatch) copyState(most int64) error {
	w.copied = w.recipe.Dead(most+int64(w.cfg.BatchSize), w.cfg.DeadFeatureThreshold)
	if !w.copied {
		return nil
	}
	if w.before == nil {
		w.before = trainer.NewState(w.cfg)
	}
	return w.loop.Save(w.before)
}

// step looks at a step that is done. The error is errDead if that step was one
// too many; before holds the state before it then.
func (w *deathWatch) step(s trainer.Stats) error {
	if s.Dead > 0 {
		if !w.copied {
			return errors.New("a latent is dead that fired within the threshold: the backend miscounts")
		}
		return errDead
	}
	return w.copyState(s.MaxSinceFired)
}
