package grid

import (
	"encoding/json"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A field that a later version adds to trainer.Config leaves the IDs of stored cells as they are, and a stored cell
// that lacks it is read with 0.
func TestAddedFieldKeepsIDs(t *testing.T) {
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 64, DictSize: 512, K: 8, AuxKAlpha: 0.03125, KAux: 32, DecayStart: 480,
		Steps: 600, BatchSize: 256, LR: 0.002, ThresholdStartStep: 1000, ThresholdBeta: 0.999,
		DeadFeatureThreshold: 20_000, Precision: "f32",
	}
	// As the versions with these fields alone compute it. Before version 2 of the semantics it was first.
	const stored, first = "f45862e1b5c0727e5904", "6ec94be0d964b0392778"
	type later struct {
		trainer.Config
		Momentum float64 `json:"momentum,omitzero"`
	}
	id := CellID(c, "f00d")
	if id != stored {
		t.Errorf("ID %s, want %s", id, stored)
	}
	if got := CellIDAt(1, c, "f00d"); got != first {
		t.Errorf("ID %s under the first semantics, want %s", got, first)
	}
	if got := hashSettings(trainer.SemanticsVersion, later{Config: c}, "f00d"); got != id {
		t.Errorf("with an added field of 0 the ID is %s, want %s", got, id)
	}
	if got := hashSettings(trainer.SemanticsVersion, later{c, 0.9}, "f00d"); got == id {
		t.Error("the added field changes no ID")
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	read := later{Momentum: 0}
	if err := json.Unmarshal(text, &read); err != nil || read != (later{Config: c}) {
		t.Errorf("read %+v, %v", read, err)
	}
}
