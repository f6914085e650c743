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

// rates are what a GPU does a second.
type rates struct {
	flops  float64 // of large products
	memory float64 // bytes copied, read and written together
	cache  float64 // bytes read from the L2 cache
	size   float64 // bytes of it that data live in
	launch float64 // seconds from one kernel to the next
}

// h200 is what the predictions assume: nobody has measured it for us.
var h200 = rates{flops: 380e12, memory: 4.2e12, cache: 5.5e12, size: 40e6, launch: 1.5e-6}

// floor is the time that a step cannot go below (BENCHMARKS.md).
func (r rates) floor(c trainer.Config) float64 {
	b, d, f := float64(c.BatchSize), float64(c.ActivationDim), float64(c.DictSize)
	return 2*b*d*f/r.flops + (28*float64(c.Params())+4*b*f)/r.memory
}

// work is what one kernel does in a step.
type work struct {
	kernel               string
	n                    int     // launches
	flops, memory, cache float64 // operations; bytes moved from and to memory, and read from the cache
}

func (r rates) seconds(w work) float64 {
	return max(w.flops/r.flops, w.memory/r.memory, w.cache/r.cache) + float64(w.n)*r.launch
}

// works lists a step without dead latents, for hits that are spread evenly.
func (r rates) works(c trainer.Config) []work {
	z := sizesOf(c)
	b, d, f, k := float64(z.b), 16*float64(z.d4), float64(z.f), float64(z.k) // d in bytes
	hits, chunks := b*k, over(z.f, z.chunk)*over(z.b, z.rows)
	hit := f * (1 - math.Exp(-hits/f)) // latents with a hit
	missed := func(bytes float64) float64 { return max(0, 1-r.size/bytes) }
	weights := hit * d
	return []work{
		{"center", 1, 0, 2 * b * d, 0},
		{"product", chunks, 2 * b * f * d / 4, f * d, 0},
		{"sift", chunks, 0, 0, 4 * b * f},
		{"sifted", 1, 0, 0, 16 * hits},
		{"counters", 1, 0, 26 * f, 0},
		{"decode", 1, 0, max(weights, hits*d*missed(f*d)) + 2*b*d, hits * d},
		{"columns (residual)", 1, 0, 0, b * d},
		{"group", 4, 0, 16 * f, 40 * hits},
		{"backward", 2, 0, 3*weights + 2*hits*d*missed(2*b*d), 2 * hits * d},
		{"columns (W_enc)", 2, 0, weights, 0},
		{"sums, totals", 2, 0, 8 * f, 0},
		{"update", 1, 0, 48*f*d/4 + 2*weights, 0},
	}
}

// TestPredictions keeps the table of BENCHMARKS.md in step with the code.
func TestPredictions(t *testing.T) {
	var text strings.Builder
	fmt.Fprintf(&text, "| kernel |")
	var columns [][]work
	var floors, totals []float64
	for _, v := range targets[:3] {
		c := trainer.Config{Recipe: "corrected", ActivationDim: v.d, DictSize: v.f, K: v.k, BatchSize: v.b, Precision: "tf32"}.Resolve()
		fmt.Fprintf(&text, " D=%d, F=%d, K=%d, B=%d |", v.d, v.f, v.k, v.b)
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
		{"tokens/s", func(i int) string { return fmt.Sprintf("%.2f M", float64(targets[i].b)/totals[i]/1e6) }},
	} {
		fmt.Fprintf(&text, "| **%s** |", row.name)
		for i := range totals {
			fmt.Fprintf(&text, " **%s** |", row.text(i))
		}
		text.WriteString("\n")
	}
	const name, begin, end = "BENCHMARKS.md", "<!-- predictions -->\n", "<!-- /predictions -->\n"
	doc, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for predictions", name)
	}
	if old == text.String() {
		return
	}
	if !*update {
		t.Fatalf("%s: the predictions are other ones (-update writes them):\n%s", name, text.String())
	}
	if err := os.WriteFile(name, []byte(before+begin+text.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func microseconds(s float64) string {
	return time.Duration(s * 1e9).Round(time.Microsecond).String()
}
