package grid

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/topksweep/sweep/trainer"
)

// A Cell is one fully resolved setting of a grid.
type Cell struct {
	ID         string         `json:"id"` // CellID of Config and the data
	Config     trainer.Config `json:"config"`
	Values     []string       `json:"values,omitempty"`     // of the keys that vary (Grid.Varying), as in the file
	Duplicates int            `json:"duplicates,omitempty"` // further settings of the grid that resolve to this cell

	// Written has the settings that the grid gives as a fraction or as a word for a number, as in decay_start: 0.8 and
	// lr: auto, by their keys, and tokens or epochs where the grid gives them instead of steps. It is nil in plans of
	// an earlier version, and not part of the ID.
	Written map[string]string `json:"written,omitzero"`

	// Data names the cell's data set, where the grid names several. It is not part of the ID: the set's fingerprint is.
	Data string `json:"data,omitempty"`
}

// CellID names what a cell trains: it hashes the resolved settings, the data's fingerprint and
// trainer.SemanticsVersion. Cells with equal IDs train to equal bits. The ID has 20 hexadecimal digits.
//
// A field of trainer.Config with the tag omitzero is not hashed where it is 0: so fields can be added without a change
// of the IDs that are stored.
func CellID(c trainer.Config, fingerprint string) string {
	return CellIDAt(trainer.SemanticsVersion, c, fingerprint)
}

// CellIDAt is CellID under the training semantics of a version, which may be an earlier one.
func CellIDAt(semantics int, c trainer.Config, fingerprint string) string {
	return hashSettings(semantics, c, fingerprint)
}

func hashSettings(semantics int, config any, fingerprint string) string {
	b, err := json.Marshal(struct {
		Semantics int    `json:"semantics"`
		Data      string `json:"data"`
		Config    any    `json:"config"`
	}{semantics, fingerprint, config})
	if err != nil {
		// Only NaN and Inf have no JSON, and Config.Validate rejects both.
		panic(fmt.Sprintf("sweep: a valid config has no JSON: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:10])
}
