package grid_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// A small grid and its cells. decay_start: 0.5 is step 50 of 100, so that two settings are one cell.
func Example() {
	src := `
name: tiny
data: {source: activations}
train: {steps: 100}
parameters: {k: [16, 32], decay_start: [0.5, 0.8, 50]}
exclude: [{k: 32, decay_start: 0.8}]
`
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// In the program this describes the opened data.
	info := trainer.DataInfo{Dim: 64, Fingerprint: "a hash of the data"}
	cells, err := g.Cells(info)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range cells {
		var label []string
		for i, key := range g.Varying() {
			label = append(label, key+"="+c.Values[i])
		}
		fmt.Printf("%s: step %d, %d duplicates\n", strings.Join(label, " "), c.Config.DecayStart, c.Duplicates)
	}
	// Output:
	// k=16 decay_start=0.5: step 50, 1 duplicates
	// k=16 decay_start=0.8: step 80, 0 duplicates
	// k=32 decay_start=0.5: step 50, 1 duplicates
}

// All errors come at once, each with line, column and key.
func ExampleParse_errors() {
	src := `name: wrong
data: {source: activations}
parameters:
  k: [16, 4096]
  dictsize: [1024]
  learning_rate: 0.001
train: {dict_size: 2048}
`
	_, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	fmt.Println(err)

	var errs grid.Errors
	if errors.As(err, &errs) {
		fmt.Printf("the first is in line %d, column %d: %s\n", errs[0].Line, errs[0].Column, errs[0].Path)
	}
	// Output:
	// grid.yaml:4:11: parameters.k: 4096 is larger than dict_size 2048
	// grid.yaml:5:3: parameters.dictsize: unknown key; did you mean dict_size?
	// grid.yaml:6:3: parameters.learning_rate: unknown key; did you mean lr?
	// the first is in line 4, column 11: parameters.k
}
