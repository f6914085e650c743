package activities

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

// Files of an exported model.
const (
	modelWeights = ledger.WeightsFile
	modelConfig  = "cfg.json"
	modelResult  = "result.json"
	modelCurve   = ledger.CurveFile
)

// export writes a run's model for use in other tools: the weights under the names,
// in the shapes and with the config that EleutherAI's sparsify reads, and beside
// them the run's result and loss curve. It is the model that the result's metrics are
// of: the rows of W_dec are at unit norm. The result's scale is folded into the
// biases, so that the model takes activations as they are stored.
func (a *Activities) export(ctx context.Context, id string, r ledger.Result, s *trainer.State) error {
	c := r.Config
	decoder, zeros := trainer.UnitRows(s.W.WDec, c.ActivationDim)
	tensors, err := modelTensors(c, s, decoder, r.Scale)
	if err != nil {
		return err
	}
	body, err := trainer.NewBody(tensors, modelMetadata(r))
	if err != nil {
		return err
	}
	if err := a.put(ctx, ledger.ModelKey(id, modelWeights), body, body.Size()); err != nil {
		return err
	}
	// sparsify takes the size of the dictionary from num_latents, and looks at
	// expansion_factor only if that is 0. It passes over keys that it does not know:
	// scale and threshold are for other readers.
	cfg := map[string]any{
		"activation": "topk", "expansion_factor": 32, "normalize_decoder": zeros == 0, "num_latents": c.DictSize,
		"k": c.K, "multi_topk": false, "skip_connection": false, "transcode": false, "d_in": c.ActivationDim,
		"scale": r.Scale, "threshold": r.Threshold,
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

// modelMetadata returns the metadata of the file of the weights.
func modelMetadata(r ledger.Result) map[string]string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	out := map[string]string{"format": "pt", "sweep.cell": r.Cell, "sweep.scale": number(r.Scale)}
	if r.Threshold != nil {
		out["sweep.threshold"] = number(*r.Threshold)
	}
	return out
}

// modelTensors returns a model's tensors with the data's scale folded into the
// biases. Training saw scale·x, where x are the stored activations. With every bias
// divided by scale the same latents fire on x, with activations divided by scale. The
// error is a *trainer.NumericError where float32 cannot hold a bias.
func modelTensors(
	c trainer.Config, s *trainer.State, decoder []float32, scale float64,
) ([]trainer.NamedTensor, error) {
	var err error
	unscaled := func(name string, v []float32) []float32 {
		out := make([]float32, len(v))
		for i, b := range v {
			out[i] = float32(float64(b) / scale)
			if !(math.Abs(float64(out[i])) <= math.MaxFloat32) {
				err = &trainer.NumericError{Step: s.Step, What: fmt.Sprintf(
					"export: element %d of %s, %v, over the data's scale, %v, is no float32", i, name, b, scale)}
			}
		}
		return out
	}
	d, f := c.ActivationDim, c.DictSize
	return []trainer.NamedTensor{
		{Name: "encoder.weight", Shape: []int{f, d}, Data: s.W.WEnc},
		{Name: "encoder.bias", Shape: []int{f}, Data: unscaled("b_enc", s.W.BEnc)},
		{Name: "W_dec", Shape: []int{f, d}, Data: decoder},
		{Name: "b_dec", Shape: []int{d}, Data: unscaled("b_dec", s.W.BDec)},
	}, err
}
