package plan

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/topksweep/sweep/sweep/grid"
)

// Lengths lists the keys that a grid may have instead of steps.
func Lengths() []string { return grid.Lengths() }

// lengths says what tokens and epochs of the grid come to, each length once, and for each data set with a name: as in
//
//	tokens 50000000: 24,415 steps of 2,048 tokens, which are 50,001,920 tokens and 1.25 epochs
//	data l3, epochs 2: 19,532 steps of 2,048 tokens, which are 40,001,536 tokens and 2 epochs
func (p *Plan) lengths() []string {
	var out []string
	of, seen := p.dataOf(), map[string]bool{}
	for _, c := range p.Cells {
		for _, key := range Lengths() {
			written, ok := c.Written[key]
			if !ok {
				continue
			}
			line := fmt.Sprintf("%s %s: %s steps of %s tokens, which are %s tokens", key, written,
				humanize.Comma(int64(c.Config.Steps)), humanize.Comma(int64(c.Config.BatchSize)),
				humanize.Comma(c.Config.Tokens()))
			if epochs := epochsOf(c.Config, of(c).Info); epochs > 0 {
				line += fmt.Sprintf(" and %.3g epochs", epochs)
			}
			if c.Data != "" {
				line = "data " + c.Data + ", " + line
			}
			if !seen[line] {
				seen[line] = true
				out = append(out, line)
			}
		}
	}
	return out
}
