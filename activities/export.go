package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/export"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

// modelCurve lies beside the files of package models.
const modelCurve = ledger.CurveFile

// export writes a run's model for use in other tools: the files of export.RunFormats, a README, and beside them the
// run's result and loss curve. It is the model that the result's metrics are of: the rows of W_dec are at unit norm.
// The result's scale is folded into the biases, so that the model takes activations as they are stored.
func (a *Activities) export(ctx context.Context, h *plan.Header, id string, r ledger.Result, s *trainer.State) error {
	r.Sweep, r.Run = h.ID, id
	model, err := modelOf(h, r, s)
	if err != nil {
		return err
	}
	files, err := models.Files(model, export.RunFormats(r.Config)...)
	if err != nil { // another try would find the same model
		return &trainer.NumericError{Step: s.Step, What: "export: " + err.Error()}
	}
	curve := s.Curve
	if curve == nil {
		curve = []trainer.Point{}
	}
	curveFile, err := export.JSONFile(modelCurve, curve)
	if err != nil {
		return err
	}
	resultFile, err := export.ResultFile(r)
	if err != nil {
		return err
	}
	return a.putModel(ctx, id, append(files, curveFile, resultFile))
}

// putModel writes files of a run's model, one after the other, and reads them back. Once the result is stored the
// checkpoints are removed, and the weights exist nowhere but in the model.
func (a *Activities) putModel(ctx context.Context, id string, files []models.File) error {
	var want []storage.Expected
	for _, f := range files {
		key := ledger.ModelKey(id, f.Name)
		if err := a.store.Put(ctx, key, f.Body, f.Size); err != nil {
			return err
		}
		sum := sha256.New()
		body := watchedBody{f.Body, watchOf(ctx)}
		if _, err := io.Copy(sum, io.NewSectionReader(body, 0, f.Size)); err != nil {
			return storage.Wrap("verify", key, err)
		}
		want = append(want, storage.Expected{Key: key, Size: f.Size, SHA256: hex.EncodeToString(sum.Sum(nil))})
	}
	return storage.VerifyObjects(ctx, a.store, ledger.ModelKey(id, ""), want)
}

// modelOf returns the model of a run's last state. It shares the encoder's weights with the state.
func modelOf(h *plan.Header, r ledger.Result, s *trainer.State) (*models.Model, error) {
	c := r.Config
	decoder, _ := trainer.UnitRows(s.W.WDec, c.ActivationDim)
	w, err := unscaled(s, r.Scale)
	w.WEnc, w.WDec = s.W.WEnc, decoder
	m := describe(h, r)
	m.W = w
	return m, err
}

// describe returns the model of a run without its weights.
func describe(h *plan.Header, r ledger.Result) *models.Model {
	c := r.Config
	return &models.Model{
		ActivationDim: c.ActivationDim, DictSize: c.DictSize, K: c.K, Threshold: r.Threshold, Scale: r.Scale,
		Names: r.Names, Metadata: export.Metadata(r), Facts: export.Facts(h, r),
	}
}

// unscaled returns the biases of a state with the data's scale folded into them. Training saw scale·x, where x are the
// stored activations. With every bias divided by scale the same latents fire on x, with activations divided by scale.
// The error is a *trainer.NumericError where float32 cannot hold a bias.
func unscaled(s *trainer.State, scale float64) (trainer.Params, error) {
	var err error
	fold := func(name string, v []float32) []float32 {
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
	return trainer.Params{BEnc: fold("b_enc", s.W.BEnc), BDec: fold("b_dec", s.W.BDec)}, err
}
