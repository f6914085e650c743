package backendtest

import (
	"reflect"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// shared checks what the sharing of stages relies on. Until a latent is dead, the
// settings of AuxK, decay_start and steps change no bit. And the first dead latent
// can be foreseen: it is dead in a step only if Stats.MaxSinceFired of the step
// before, plus the batch, reaches the threshold.
func shared(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		t.Run(recipe, func(t *testing.T) {
			r, err := trainer.RecipeByName(recipe)
			if err != nil {
				t.Fatal(err)
			}
			c := config(recipe)
			c.AuxKAlpha = 0
			m := model(t, b, c, trainer.Init(c), Data(c))
			stats := Train(t, m, 30)
			dead := int64(0) // the first step with a dead latent
			for dead < 30 && stats[dead].Dead == 0 {
				dead++
			}
			if dead < 2 || dead == 30 {
				t.Fatalf("a latent is dead in step %d: the case is too easy", dead)
			}
			most := int64(0)
			for step, s := range stats {
				if s.Dead > 0 && !r.Dead(most+int64(c.BatchSize), c.DeadFeatureThreshold) {
					t.Errorf("step %d: %d latents are dead, after at most %d tokens", step, s.Dead, most)
				}
				most = s.MaxSinceFired
			}
			m = model(t, b, c, trainer.Init(c), Data(c))
			Train(t, m, dead)
			want := save(t, m, c)
			for name, change := range map[string]func(*trainer.Config){
				"auxk_alpha":  func(c *trainer.Config) { c.AuxKAlpha = 0.5 },
				"k_aux":       func(c *trainer.Config) { c.AuxKAlpha, c.KAux = 1.0/32, 3 },
				"decay_start": func(c *trainer.Config) { c.DecayStart = int(dead) - 1 },
				"steps":       func(c *trainer.Config) { c.Steps = 1000 },
			} {
				d := c
				change(&d)
				m := model(t, b, d, trainer.Init(d), Data(d))
				if got := Train(t, m, dead); !reflect.DeepEqual(got, stats[:dead]) {
					t.Errorf("%s shows in the stats of a step before any latent is dead", name)
				}
				SameState(t, d, save(t, m, d), want)
			}
		})
	}
}
