package grid

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/topksweep/sweep/trainer"
)

// A Cell is one fully resolved hyperparameter setting of a grid.
type Cell struct {
	ID         string         `json:"id"` // CellID of the settings and the data
	Config     trainer.Config `json:"config"`
	Values     []string       `json:"values,omitempty"`     // of the keys that vary (Grid.Varying, Plan.Axes), as the grid has them
	Duplicates int            `json:"duplicates,omitempty"` // further settings of the grid that come to this cell
}

// CellID names what a cell trains: the hash of its resolved settings, the data's
// fingerprint and the trainer's semantics version. Equal IDs train to equal bits.
func CellID(c trainer.Config, fingerprint string) string {
	b, err := json.Marshal(struct {
		Semantics int            `json:"semantics"`
		Data      string         `json:"data"`
		Config    trainer.Config `json:"config"`
	}{trainer.SemanticsVersion, fingerprint, c})
	if err != nil {
		panic(fmt.Sprintf("sweep: a valid config has no JSON: %v", err)) // NaN or Inf: Validate rejects both
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:10])
}
