package scaling

import (
	"fmt"
	"math"
	"slices"

	"github.com/topksweep/sweep/sweep/table"
)

// A Cost is what it takes to train a cell that was not trained. Nil is not known.
type Cost struct {
	Tokens        int64    `json:"tokens"`
	Steps         *int64   `json:"steps"`
	BatchSize     *int64   `json:"batch_size"`
	Params        float64  `json:"params"`         // 2·F·D + F + D
	Flops         float64  `json:"flops"`          // 12·D·F·tokens, dense-equivalent
	FlopsExecuted *float64 `json:"flops_executed"` // tokens·(2·D·F + 8·D·(k + m))
	DeviceSeconds *float64 `json:"device_seconds"`
	PeakBytes     *float64 `json:"peak_bytes"`
	Class         *string  `json:"class"`
	Device        *string  `json:"device"`
	Assumes       []string `json:"assumes"` // one line each, also on why something is not known
}

// A CostQuestion says what a cost is asked for. Tokens is 0 for as many as the largest run; then Steps may be given.
type CostQuestion struct {
	K, DictSize   int64
	Tokens, Steps int64
}

// CostOf estimates the cost of a cell from the runs of a table: the compute from its sizes, the time from the speed of
// the largest runs that were timed, and the memory from theirs. It is nil where the table does not say how wide the
// activations are or how many tokens to train on; why says so.
func CostOf(t table.Table, q CostQuestion) (c *Cost, why string) {
	rows := sized(&t)
	d, ok := one(&t, rows, "activation_dim")
	if !ok {
		return nil, "the results have no activation_dim, or several"
	}
	largest := -1
	for _, i := range rows {
		if largest < 0 || bigger(&t, i, largest) {
			largest = i
		}
	}
	c = &Cost{Tokens: q.Tokens, Assumes: []string{}}
	batch, okB := whole(t.Value(largest, "batch_size"))
	if okB {
		c.BatchSize = &batch
	}
	switch {
	case q.Tokens > 0:
	case q.Steps > 0 && okB:
		c.Tokens = q.Steps * batch
		if c.Tokens/batch != q.Steps {
			return nil, fmt.Sprintf("%d steps of %d tokens are more tokens than can be counted", q.Steps, batch)
		}
	case q.Steps > 0:
		return nil, "the results have no batch_size, which --steps needs: give --tokens"
	default:
		if c.Tokens, ok = whole(t.Value(largest, "tokens")); !ok {
			return nil, "the results have no tokens: give --tokens"
		}
		c.Assumes = append(c.Assumes, "it is trained on as many tokens as the largest run")
	}
	if okB {
		steps := c.Tokens / batch
		if steps*batch < c.Tokens {
			steps++
		}
		c.Steps = &steps
	}
	f := float64(q.DictSize)
	c.Params = params(f, d)
	c.Flops = 12 * d * f * float64(c.Tokens)
	c.measured(&t, rows, q, d)
	return c, ""
}

func params(f, d float64) float64 { return 2*f*d + f + d }

// completed lists the rows of completed runs: all where the table has no status.
func completed(t *table.Table) []int {
	var out []int
	for i := range t.Rows {
		if s := text(t.Value(i, "status")); s == "" || s == "completed" {
			out = append(out, i)
		}
	}
	return out
}

// sized lists the rows of completed runs whose k and dict_size are whole numbers over 0.
func sized(t *table.Table) []int {
	return slices.DeleteFunc(completed(t), func(i int) bool {
		_, okK := whole(t.Value(i, "k"))
		_, okN := whole(t.Value(i, sizeColumn(t)))
		return !okK || !okN
	})
}

// one returns the value of a column that is the same whole number over 0 in all rows that have one.
func one(t *table.Table, rows []int, name string) (float64, bool) {
	var v int64
	for _, i := range rows {
		x, ok := whole(t.Value(i, name))
		if !ok {
			continue
		}
		if v != 0 && x != v {
			return 0, false
		}
		v = x
	}
	return float64(v), v > 0
}

// bigger says that a run has the larger dictionary, or else k, or else was trained longer.
func bigger(t *table.Table, a, b int) bool {
	for _, name := range []string{sizeColumn(t), "k", "tokens"} {
		x, _ := number(t.Value(a, name))
		y, _ := number(t.Value(b, name))
		if x != y {
			return x > y
		}
	}
	return false
}

// measured fills what depends on the runs that were timed.
func (c *Cost) measured(t *table.Table, rows []int, q CostQuestion, d float64) {
	var timed []int
	for _, i := range rows {
		flops, okF := number(t.Value(i, "flops_executed"))
		tokens, okT := number(t.Value(i, "tokens"))
		_, okS := seconds(t, i)
		if okF && okS && okT && flops > 0 && tokens > 0 {
			timed = append(timed, i)
		}
	}
	if len(timed) == 0 {
		c.Assumes = append(c.Assumes, "no run has both a time and flops_executed: the time and the memory are not known")
		return
	}
	largest := timed[0]
	for _, i := range timed {
		if bigger(t, i, largest) {
			largest = i
		}
	}
	var flops, time, tokens, aux, peak float64
	n := 0
	size, _ := number(t.Value(largest, sizeColumn(t)))
	class := text(t.Value(largest, "class"))
	for _, i := range timed {
		if s, _ := number(t.Value(i, sizeColumn(t))); s != size || text(t.Value(i, "class")) != class {
			continue
		}
		executed, _ := number(t.Value(i, "flops_executed"))
		trained, _ := number(t.Value(i, "tokens"))
		took, _ := seconds(t, i)
		k, _ := number(t.Value(i, "k"))
		bytes, _ := number(t.Value(i, "peak_bytes"))
		n++
		flops, time, tokens, peak = flops+executed, time+took, tokens+trained, max(peak, bytes)
		aux += max(0, ((executed/trained)-2*d*size)/(8*d)-k) * trained
	}
	m := aux / tokens
	executed := float64(c.Tokens) * (2*d*float64(q.DictSize) + 8*d*(float64(q.K)+m))
	device := *digits(executed / (flops / time))
	if !finite(m) || !finite(executed) || !finite(flops/time) || !finite(device) {
		c.Assumes = append(c.Assumes, "flops_executed, tokens and the times of the largest runs give no finite speed or "+
			"time: the time and the memory are not known")
		return
	}
	c.FlopsExecuted, c.DeviceSeconds = &executed, &device
	c.Assumes = append(c.Assumes, fmt.Sprintf("the device does %.3g flops_executed a second, as in the %d largest runs "+
		"(dict_size=%.0f), with as many trainings at a time", flops/time, n, size))
	if m > 0.5 {
		c.Assumes = append(c.Assumes, fmt.Sprintf("AuxK trains %.0f latents a token, as in those runs", m))
	}
	if class != "" {
		c.Class = &class
	}
	if name := text(t.Value(largest, "device")); name != "" {
		c.Device = &name
	}
	bytes := math.Ceil(peak * c.Params / params(size, d))
	switch {
	case !finite(bytes):
		c.Assumes = append(c.Assumes, "peak_bytes of these runs gives no finite memory: the memory is not known")
	case peak > 0:
		c.PeakBytes = &bytes
		c.Assumes = append(c.Assumes, "memory grows as the parameters do, from that of these runs")
	}
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// seconds returns the time of a run's steps, each counted in full. device_seconds counts a step that several runs share
// in parts, so it is taken only where no step is shared.
func seconds(t *table.Table, i int) (float64, bool) {
	if s, ok := number(t.Value(i, "wall_seconds")); ok && s > 0 {
		return s, true
	}
	shared, _ := number(t.Value(i, "steps_shared"))
	s, ok := number(t.Value(i, "device_seconds"))
	return s, ok && s > 0 && shared == 0
}
