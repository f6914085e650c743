package grid

import (
	"fmt"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// With several data sets, epochs come to the steps of each one's own training rows, whatever their sizes, and tokens to
// the same steps for all. The axis has what the grid says.
func TestLengthsOfSets(t *testing.T) {
	const sets = "name: a\ndata: {sets: {small: {source: s}, large: {source: l}}}\n"
	infos := []trainer.DataInfo{
		{Rows: 1100, EvalRows: 100, Dim: 64, Fingerprint: "s"},
		{Rows: 5000, EvalRows: 1000, Dim: 32, Fingerprint: "l"},
	}
	for settings, want := range map[string][]string{
		"train: {epochs: 2, batch_size: 100}\n":    {"[small] 20", "[large] 80"},
		"train: {tokens: 2000, batch_size: 100}\n": {"[small] 20", "[large] 20"},
		"train: {batch_size: 100}\nparameters: {epochs: [0.5, 1]}\n": {
			"[small 0.5] 5", "[small 1] 10", "[large 0.5] 20", "[large 1] 40"},
		"train: {batch_size: 100}\nparameters: {epochs: [1], data: large}\n": {"[] 40"},
		"train: {batch_size: 100}\nparameters: {epochs: [4, 1], data: [small, large]}\nzip: [[epochs, data]]\n": {
			"[4 small] 40", "[1 large] 40"},
		"train: {batch_size: 100}\ninclude: [{data: small, epochs: 4}, {data: large, steps: 7}]\n": {
			"[small 40] 40", "[large 7] 7"},
	} {
		g := mustParse(t, sets+settings)
		used := infos
		if len(g.Sets) == 1 {
			used = infos[1:]
		}
		var got []string
		for _, c := range cellsOf(t, g, used...) {
			got = append(got, fmt.Sprint(c.Values, " ", c.Config.Steps))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v %q, want %q", settings, g.Varying(), got, want)
		}
	}
}
