//go:build cuda

package cuda

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
)

var update = flag.Bool("update", false, "write the predictions into BENCHMARKS.md")

// rates are what a GPU does in a second.
type rates struct {
	flops  float64 // operations of large products
	memory float64 // bytes that are copied, reading and writing counted together
	cache  float64 // bytes read from the L2 cache
	size   float64 // bytes of the L2 cache that hold data; not a rate
	launch float64 // seconds from one kernel to the next; not a rate
}

// assumedH200 returns what the predictions assume of an H200. They were made before one was
// measured, and stay as they were: BENCHMARKS.md compares them with what was measured.
func assumedH200() rates {
	return rates{flops: 380e12, memory: 4.2e12, cache: 5.5e12, size: 40e6, launch: 1.5e-6}
}

// floor returns the time that a step takes at least, in seconds (BENCHMARKS.md).
func (r rates) floor(c trainer.Config) float64 {
	b, d, f := float64(c.BatchSize), float64(c.ActivationDim), float64(c.DictSize)
	return 2*b*d*f/r.flops + (28*float64(c.Params())+4*b*f)/r.memory
}

// work is what one kernel does in a step.
type work struct {
	kernel string
	n      int     // launches
	flops  float64 // operations
	memory float64 // bytes moved from and to memory
	cache  float64 // bytes read from the L2 cache
}

func (r rates) seconds(w work) float64 {
	return max(w.flops/r.flops, w.memory/r.memory, w.cache/r.cache) + float64(w.n)*r.launch
}

// works lists the work of a step without dead latents, with hits spread evenly over the
// latents.
func (r rates) works(c trainer.Config) []work {
	z := sizesOf(c)
	b, d, f, k := float64(z.b), 16*float64(z.d4), float64(z.f), float64(z.k) // d in bytes
	hits, blocks := b*k, over(z.b, z.rows)
	hit := f * (1 - math.Exp(-hits/f))                                      // latents with a hit
	missed := func(bytes float64) float64 { return max(0, 1-r.size/bytes) } // share of cache misses
	weights := hit * d
	return []work{
		{"centre", 1, 0, 2.5 * b * d, 0},
		{"product", blocks, 2 * b * f * d / 4, f*d/2 + 2*b*f, 0},
		{"maxima", blocks, 0, 2 * b * f, 0},
		{"choose, choose_rest", 2 * blocks, 0, 0, 1.2 * hits * d},
		{"count_fired", 1, 0, 26 * f, 0},
		{"decode", 1, 0, max(weights, hits*d*missed(f*d)) + 2*b*d, hits * d},
		{"column_sums (residual)", 1, 0, 0, b * d},
		{"group", 4, 0, 16 * f, 40 * hits},
		{"backward", 2, 0, 3*weights + 2*hits*d*missed(2*b*d), 2 * hits * d},
		{"column_sums (W_enc)", 2, 0, weights, 0},
		{"step_sums, step_totals", 2, 0, 8 * f, 0},
		{"update", 1, 0, 50*f*d/4 + 2*weights, 0},
	}
}

// TestPredictions compares the table of BENCHMARKS.md with what the code predicts.
func TestPredictions(t *testing.T) {
	var text strings.Builder
	fmt.Fprintf(&text, "| D, F, K, B |")
	var columns [][]work
	var floors, totals []float64
	h200 := assumedH200()
	for _, v := range shapes() {
		c := trainer.Config{
			Recipe: "corrected", ActivationDim: v.d, DictSize: v.f, K: v.k, BatchSize: v.b, Precision: "f32",
		}.Resolve()
		fmt.Fprintf(&text, " %d, %d, %d, %d |", v.d, v.f, v.k, v.b)
		columns = append(columns, h200.works(c))
		floors = append(floors, h200.floor(c))
		totals = append(totals, 0)
	}
	text.WriteString("\n|---|---|---|---|\n")
	for i, w := range columns[0] {
		fmt.Fprintf(&text, "| %s |", w.kernel)
		for j, column := range columns {
			s := h200.seconds(column[i])
			totals[j] += s
			fmt.Fprintf(&text, " %s (%d) |", microseconds(s), column[i].n)
		}
		text.WriteString("\n")
	}
	for _, row := range []struct {
		name string
		text func(int) string
	}{
		{"step", func(i int) string { return microseconds(totals[i]) }},
		{"floor", func(i int) string { return microseconds(floors[i]) }},
		{"share of the floor", func(i int) string { return fmt.Sprintf("%.0f%%", 100*floors[i]/totals[i]) }},
		{"tokens/s", func(i int) string { return fmt.Sprintf("%.2f M", float64(shapes()[i].b)/totals[i]/1e6) }},
	} {
		fmt.Fprintf(&text, "| **%s** |", row.name)
		for i := range totals {
			fmt.Fprintf(&text, " **%s** |", row.text(i))
		}
		text.WriteString("\n")
	}
	const name, first, last = "BENCHMARKS.md", "<!-- predictions -->\n", "<!-- /predictions -->\n"
	doc, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), first)
	old, after, ok2 := strings.Cut(rest, last)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", name, first, last)
	}
	if old == text.String() {
		return
	}
	if !*update {
		t.Fatalf("%s differs from what the code predicts (-update writes it):\n%s", name, text.String())
	}
	if err := os.WriteFile(name, []byte(before+first+text.String()+last+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func microseconds(s float64) string {
	return time.Duration(s * 1e9).Round(time.Microsecond).String()
}
