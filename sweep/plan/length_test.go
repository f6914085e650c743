package plan

import (
	"slices"
	"strings"
	"testing"
)

// An axis of lengths stays one while the grid of every cell gives it. Else the axis is steps.
func TestExtendLengths(t *testing.T) {
	const head = "name: a\ndata: {source: acts}\n"
	const axis = head + "parameters: {tokens: [1000, 2000]}\ntrain: {batch_size: 100}\n"
	for add, want := range map[string]string{
		"train: {tokens: 4000, batch_size: 100}\n":                 "tokens 1000 2000 4000",
		"train: {steps: 40, batch_size: 100}\n":                    "steps 10 20 40",
		"parameters: {epochs: [1, 2]}\ntrain: {batch_size: 1e5}\n": "steps batch_size 10 100 20 100 10 100000 19 100000",
	} {
		p := planOf(t, axis, Estimates{})
		if _, err := p.Extend(planOf(t, head+add, Estimates{})); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(p.Axes, " ")
		for _, c := range p.Cells {
			got += " " + strings.Join(c.Values, " ")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", add, got, want)
		}
	}
}

// A plan says for each data set what epochs come to, and prints them beside its name.
func TestLengthsOfSets(t *testing.T) {
	p := planOfSets(t, "data: {sets: {l3: {source: acts/3}, l6: {source: acts/6}}}\n"+
		"parameters: {epochs: [1]}\ntrain: {dict_size: 64, batch_size: 1000}\n")
	want := []string{ // of 3 and 6 million rows 65,536 are held out
		"data l3, epochs 1: 2,935 steps of 1,000 tokens, which are 2,935,000 tokens and 1 epochs",
		"data l6, epochs 1: 5,935 steps of 1,000 tokens, which are 5,935,000 tokens and 1 epochs",
	}
	if got := p.lengths(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
