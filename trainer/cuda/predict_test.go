//go:build cuda

package cuda

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

var update = flag.Bool("update", false, "write the predictions into BENCHMARKS.md")

// rates are what a GPU does in a second.
type rates struct {
	flops  float64 // operations of large products in float16
	memory float64 // bytes that are copied, reading and writing counted together
	cache  float64 // bytes read from the L2 cache
	size   float64 // bytes of the L2 cache that hold data; not a rate
	launch float64 // seconds from one kernel to the next; not a rate
}

// ratesH200 returns what an H200 did on 2026-11-26: the largest product in float16, a copy, and decode with D = 512,
// whose rows come from the cache. size and launch are assumed.
func ratesH200() rates {
	return rates{flops: 755e12, memory: 4.2e12, cache: 7e12, size: 40e6, launch: 1.5e-6}
}

// floor returns the time that a step takes at least, in seconds (BENCHMARKS.md).
func (r rates) floor(c trainer.Config) float64 {
	b, d, f, k := float64(c.BatchSize), float64(c.ActivationDim), float64(c.DictSize), float64(c.K)
	return 2*b*d*f/r.flops + (30*float64(c.Params())+4*b*f)/r.memory + 4*b*k*d/r.cache
}

// A screened shape is what a prototype of the screen showed for it: the rate of its product in float16, and how many
// candidates a token has on random data. The margin here allows for sums in any order. That makes a difference for D =
// 4096 alone, where the prototype had 80.7: the number is that of a simulation, which has the prototype's numbers with
// its margin.
type screened struct {
	shape
	flops, candidates float64
}

func screenedShapes() []screened {
	v := shapes()
	return []screened{{v[0], 636e12, 113.7}, {v[1], 688e12, 36.7}, {v[2], 755e12, 102}}
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

// works lists the work of a step without dead latents, with hits and candidates spread evenly over the latents.
func (r rates) works(s screened) []work {
	b, f, k := float64(s.b), float64(s.f), float64(s.k)
	row := 32 * float64(over(s.d, 8)) // bytes of a padded row in float32
	hits, candidates, pre := b*k, b*s.candidates, 2*b*f
	bounds := 8 * b * f / float64(kernels.GroupFor(s.k, s.f, s.f))
	hit := f * (1 - math.Exp(-hits/f))                                      // latents with a hit
	missed := func(bytes float64) float64 { return max(0, 1-r.size/bytes) } // share of cache misses
	weights := hit * row
	return []work{
		{"centre", 1, 0, 2.5 * b * row, 0},
		{"product", 1, 2 * b * f * row / 4, (f+b)*row/2 + pre, 0},
		{"maxima", 1, 0, pre + bounds, 0},
		{"choose", 1, 0, bounds + candidates*row*missed(f*row), candidates * row},
		{"choose_rest", 1, 0, 0, 0},
		{"count_fired", 1, 0, 26 * f, 0},
		{"decode", 1, 0, max(weights, hits*row*missed(f*row)) + 2*b*row, hits * row},
		{"column_sums (residual)", 1, 0, 0, b * row},
		{"group", 4, 0, 16 * f, 40 * hits},
		{"backward", 2, 0, 3*weights + 2*hits*row*missed(2*b*row), 2 * hits * row},
		{"column_sums (W_enc)", 2, 0, weights, 0},
		{"step_sums, step_totals", 2, 0, 8 * f, 0},
		{"update", 1, 0, 50*f*row/4 + 2*weights, 0},
	}
}

// before returns the microseconds that launches of a kernel took on an H200 in tf32 before there was a screen, one at a
// time, for each shape. topk_chunk stands beside choose, whose work it did. The first shape's step is in f32; the
// others were not measured in f32.
func before() map[string][3]int {
	return map[string][3]int{
		"product":             {376, 4160, 6272},
		"choose":              {336, 2112, 1024},
		"decode":              {69, 117, 865},
		"backward":            {133, 434, 2582},
		"column_sums (W_enc)": {66, 133, 347},
		"update":              {237, 1287, 3604},
		"**step**":            {2325, 6059, 14124},
	}
}

// measured returns the same of the step with the screen, in f32, once it is measured.
func measured() map[string][3]int { return map[string][3]int{} }

// TestPredictions compares the tables of BENCHMARKS.md with what the code predicts.
func TestPredictions(t *testing.T) {
	var text strings.Builder
	h200, was, is := ratesH200(), before(), measured()
	used := map[string]bool{}
	for i, s := range screenedShapes() {
		fmt.Fprintf(&text, "\nD, F, K, B = %d, %d, %d, %d:\n\n", s.d, s.f, s.k, s.b)
		text.WriteString("| kernel | launches | predicted | before the screen | measured |\n|---|---|---|---|---|\n")
		line := func(kernel, launches, predicted string) {
			used[kernel] = true
			fmt.Fprintf(&text, "| %s | %s | %s | %s | %s |\n", kernel, launches, predicted,
				timing(was[kernel][i]), timing(is[kernel][i]))
		}
		c := trainer.Config{
			Recipe: "corrected", ActivationDim: s.d, DictSize: s.f, K: s.k, BatchSize: s.b, Precision: "f32",
		}.Resolve()
		product, total := h200, 0.0
		product.flops = s.flops
		for _, w := range product.works(s) {
			seconds := product.seconds(w)
			total += seconds
			line(w.kernel, fmt.Sprint(w.n), microseconds(seconds))
		}
		floor := h200.floor(c)
		line("**step**", "", microseconds(total))
		line("**floor**", "", microseconds(floor))
		line("**share of the floor**", "", fmt.Sprintf("%.0f%%", 100*floor/total))
		fmt.Fprintf(&text, "| **tokens/s** | | %s | %s | %s |\n", millions(s.b, 1e6*total),
			millions(s.b, float64(was["**step**"][i])), millions(s.b, float64(is["**step**"][i])))
	}
	for _, figures := range []map[string][3]int{was, is} {
		for kernel := range figures {
			if !used[kernel] {
				t.Errorf("there are figures for %s, which is no kernel of the tables", kernel)
			}
		}
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

func microseconds(s float64) string { return timing(int(math.Round(1e6 * s))) }

// timing is a time in microseconds, or a dash where none is known.
func timing(us int) string {
	if us == 0 {
		return "–"
	}
	return fmt.Sprintf("%d µs", us)
}

// millions are the tokens a second of a step that takes so many microseconds.
func millions(tokens int, us float64) string {
	if us == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f M", float64(tokens)/us)
}
