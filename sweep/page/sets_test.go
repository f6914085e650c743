package page

import (
	"reflect"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// The section data of a plan with several data sets reads back as these.
func TestDataSections(t *testing.T) {
	six := 6
	h := &plan.Header{Sets: []plan.DataSet{
		{Name: "3", Data: trainer.DataSpec{Synthetic: &trainer.Synthetic{
			ActivationDim: 8, Directions: 9, Tokens: 100, Active: 2, Zipf: 1}, Normalize: "none"}},
		{Name: "l6.mlp", Data: trainer.DataSpec{Source: "a: \"b\"\n", Normalize: "mean_square", EvalSource: "held",
			Names: trainer.Names{LMName: "gpt2", Layer: &six}}},
	}}
	text := "name: a\n" + dataSections(h) + "parameters: {k: [4]}\n"
	g, err := grid.Parse("grid.yaml", []byte(text), grid.ParseOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for i, s := range g.Sets {
		if s.Name != h.Sets[i].Name || !reflect.DeepEqual(*s.Data, h.Sets[i].Data) {
			t.Errorf("%s: %+v, want %+v", s.Name, *s.Data, h.Sets[i].Data)
		}
	}
}
