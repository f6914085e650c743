package export

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

// RunLimit is the largest size in bytes of a model's weights of which a finished run leaves the files of all tools,
// each with a copy of the weights. Of a larger one it leaves sparsify's.
const RunLimit = 256 << 20

// WeightBytes is the size of the weights of a model: float32.
func WeightBytes(c trainer.Config) int64 { return 4 * c.Params() }

// RunFormats lists the formats that a finished run leaves.
func RunFormats(c trainer.Config) []models.Format {
	if WeightBytes(c) > RunLimit {
		return []models.Format{models.Sparsify}
	}
	return []models.Format{models.Sparsify, models.SAELens, models.DictionaryLearning}
}

// Metadata are the strings that a run's model has in the headers of safetensors files.
func Metadata(r ledger.Result) map[string]string { return map[string]string{"sweep.cell": r.Cell} }

// leftOut lists columns of the results that a model card does not have: what differs between equal runs, keys of a
// store, and names, which are fields of a model. Nor has it settings as the grid has them (isWritten): init_written is
// a path of a machine, and a run's own card does not have them either.
func leftOut() []string {
	return append(trainer.NameKeys(),
		"status", "error", "run", "model_path", "curve_path", "density", "steps_trained", "steps_shared", "peak_bytes")
}

// Facts says for a model card what a run was: its sweep and cell, settings, metrics, data and build. Each has the name
// of a column of the results. h is the plan, or nil where it is not known. Their order is the same whatever else the
// sweep trains: sweeps that have the run in common write one card but for the sweep's ID.
func Facts(h *plan.Header, r ledger.Result) []models.Fact {
	if h != nil {
		alone := *h
		alone.Axes = nil // the table has them first
		for _, s := range h.Sets {
			if s.Name == r.Set { // whether the sweep has others, and names, is not of the run
				alone.Data, alone.Info, alone.Sets = s.Data, s.Info, nil
			}
		}
		h, r.Set = &alone, ""
	}
	t := report.Rows{Plan: h, Results: []ledger.Result{r}}.Table()
	var out []models.Fact
	left, varying := leftOut(), report.VaryingColumns()
	for i, c := range t.Columns {
		v := t.Rows[0][i]
		if v == nil || slices.Contains(left, c.Name) || isWritten(c.Name) ||
			slices.Contains(varying, c.Name) && !ofBuild(c.Name) {
			continue
		}
		out = append(out, models.Fact{Name: c.Name, Value: text(v)})
	}
	return out
}

// isWritten reports whether a column says how the grid writes a setting.
func isWritten(name string) bool { return strings.HasSuffix(name, "_written") }

// ofBuild reports whether a column says what trained the run.
func ofBuild(name string) bool {
	return slices.Contains([]string{"class", "classes", "mixed_classes", "device", "build"}, name)
}

// text writes a value of a table in full. A whole number has no exponent.
func text(v any) string {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', 0, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return v
	}
	return fmt.Sprint(v)
}
