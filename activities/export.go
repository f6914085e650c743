package activities

import (
	"context"
	"encoding/json"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/trainer"
)

// Files of an exported model.
const (
	modelWeights = "sae.safetensors"
	modelConfig  = "cfg.json"
	modelResult  = "result.json"
	modelCurve   = "curve.json"
)

// export writes a run's model for use outside of sweep: the weights under the
// names, in the shapes and with the config that EleutherAI's sparsify reads, and
// beside them the run's result and loss curve. scale is what the data were
// multiplied by; it is folded back, so that the model takes activations as they
// are stored.
func (a *Activities) export(ctx context.Context, id string, r sweep.Result, s *trainer.State, scale float64) error {
	c := r.Config
	body, err := trainer.NewBody(modelTensors(c, s, scale), map[string]string{"format": "pt", "sweep.cell": r.Cell})
	if err != nil {
		return err
	}
	if err := a.store.Put(ctx, sweep.ModelKey(id, modelWeights), body, body.Size()); err != nil {
		return err
	}
	// Their config has the activation, and no expansion factor when num_latents is given.
	cfg := map[string]any{
		"activation": "topk", "expansion_factor": 32, "normalize_decoder": true, "num_latents": c.DictSize,
		"k": c.K, "multi_topk": false, "skip_connection": false, "transcode": false, "d_in": c.ActivationDim,
	}
	curve := s.Curve
	if curve == nil {
		curve = []trainer.Point{}
	}
	for _, f := range []struct {
		name string
		v    any
	}{{modelConfig, cfg}, {modelCurve, curve}, {modelResult, r}} {
		b, err := json.MarshalIndent(f.v, "", "  ")
		if err != nil {
			return err
		}
		if err := storage.PutBytes(ctx, a.store, sweep.ModelKey(id, f.name), append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// modelTensors folds the data's scale into the biases. With x the stored
// activations, training saw scale·x; dividing every bias by scale leaves the
// weights and which latents fire as they are and divides the activations by it.
func modelTensors(c trainer.Config, s *trainer.State, scale float64) []trainer.NamedTensor {
	unscaled := func(v []float32) []float32 {
		out := make([]float32, len(v))
		for i, b := range v {
			out[i] = float32(float64(b) / scale)
		}
		return out
	}
	d, f := c.ActivationDim, c.DictSize
	return []trainer.NamedTensor{
		{Name: "encoder.weight", Shape: []int{f, d}, Data: s.W.WEnc},
		{Name: "encoder.bias", Shape: []int{f}, Data: unscaled(s.W.BEnc)},
		{Name: "W_dec", Shape: []int{f, d}, Data: s.W.WDec},
		{Name: "b_dec", Shape: []int{d}, Data: unscaled(s.W.BDec)},
	}
}
