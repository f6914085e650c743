package activities

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

// Files of an exported model.
const (
	modelWeights = "sae.safetensors"
	modelConfig  = "cfg.json"
	modelResult  = "result.json"
	modelCurve   = "curve.json"
)

// export writes a run's model for use in other tools: the weights under the names,
// in the shapes and with the config that EleutherAI's sparsify reads, and beside
// them the run's result and loss curve. scale is the factor by which the data were
// multiplied. It is folded into the biases, so that the model takes activations as
// they are stored.
func (a *Activities) export(ctx context.Context, id string, r ledger.Result, s *trainer.State, scale float64) error {
	c := r.Config
	body, err := trainer.NewBody(modelTensors(c, s, scale), map[string]string{"format": "pt", "sweep.cell": r.Cell})
	if err != nil {
		return err
	}
	if err := a.put(ctx, ledger.ModelKey(id, modelWeights), body, body.Size()); err != nil {
		return err
	}
	// sparsify takes the size of the dictionary from num_latents, and looks at
	// expansion_factor only if that is 0.
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
		b = append(b, '\n')
		if err := a.put(ctx, ledger.ModelKey(id, f.name), bytes.NewReader(b), int64(len(b))); err != nil {
			return err
		}
	}
	return nil
}

// put writes an object and reads it back. Once the result is stored the checkpoints
// are removed, and the weights exist nowhere but in the model.
func (a *Activities) put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if err := a.store.Put(ctx, key, body, size); err != nil {
		return err
	}
	want := sha256.New()
	if _, err := io.Copy(want, io.NewSectionReader(body, 0, size)); err != nil {
		return storage.Wrap("verify", key, err)
	}
	return storage.VerifyObject(ctx, a.store, key, size, hex.EncodeToString(want.Sum(nil)))
}

// modelTensors returns a model's tensors with the data's scale folded into the
// biases. Training saw scale·x, where x are the stored activations. With every bias
// divided by scale the same latents fire on x, with activations divided by scale.
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
