package trainer

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// EvaluateWeights measures a model apart from any training, k latents a token, on the held-out rows, of which there
// must be one at least. The model is measured as it is: the rows of W_dec have whatever norms they have. Where these
// are 1, the metrics are those of Evaluate. Those of CountedInTraining are left zero: they mean nothing here.
//
// b encodes the rows; it gets a copy of w, whose shapes must agree with each other.
func EvaluateWeights(ctx context.Context, b Backend, k int, w Params, data HeldOut) (Metrics, error) {
	d, f := len(w.BDec), len(w.BEnc)
	if d < 1 || f < 1 || len(w.WEnc) != f*d || len(w.WDec) != f*d {
		return Metrics{}, fmt.Errorf("evaluate: %d and %d weights do not fit %d latents of width %d",
			len(w.WEnc), len(w.WDec), f, d)
	}
	if k < 1 || k > f {
		return Metrics{}, fmt.Errorf("evaluate: k is %d, and must be 1 to %d, the number of latents", k, f)
	}
	// No AuxK, and no latent that is dead: nothing here depends on how the model was trained.
	c := Config{
		Recipe: Recipes()[0].Name, ActivationDim: d, DictSize: f, K: k, KAux: 1, Steps: 1, DecayStart: 1,
		BatchSize: groupRows, DeadFeatureThreshold: 1 << 60, Precision: "f32",
	}.Resolve()
	s := &State{W: w, SinceFired: make([]int64, f), Threshold: -1, FirstDead: -1}
	m, err := b.New(c, s, nil)
	if err != nil {
		return Metrics{}, fmt.Errorf("evaluate: %w", err)
	}
	e, err := newEvaluation(m, c, s, w.WDec)
	var out Metrics
	if err == nil {
		out, err = e.evaluate(ctx, data)
	}
	err = errors.Join(err, m.Close())
	if numeric := (*NumericError)(nil); errors.As(err, &numeric) { // there is no step to name
		text := strings.TrimPrefix(numeric.Error(), fmt.Sprintf("step %d: ", numeric.Step))
		err = fmt.Errorf("evaluate: %s", text)
	}
	if err != nil {
		return Metrics{}, err
	}
	return out, nil
}

// CountedInTraining lists the metrics that depend on how a model was trained, by their names in JSON.
func CountedInTraining() []string {
	return []string{"auxk_loss", "dead_latents", "dead_fraction", "first_dead_step"}
}
