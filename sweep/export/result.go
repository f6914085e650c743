package export

import (
	"bytes"
	"encoding/json"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer/models"
)

// ResultFile returns result.json, which lies beside a run's model.
func ResultFile(r ledger.Result) (models.File, error) { return JSONFile("result.json", r) }

// JSONFile returns a file of a model's folder that holds v as JSON.
func JSONFile(name string, v any) (models.File, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	b = append(b, '\n')
	return models.File{Name: name, Body: bytes.NewReader(b), Size: int64(len(b))}, err
}
