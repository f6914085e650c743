package sweepbench

import (
	"fmt"
	"strconv"
	"strings"
)

// Options say what is measured.
type Options struct {
	Runs    int
	Slots   int     // of all workers together
	Seconds float64 // that the steps of a run take together; 0: no longer than its two steps need
	Store   string  // dir or minio
}

// ReadOptions reads options from the environment: the variables that make bench-sweep sets.
func ReadOptions(getenv func(string) string) (o Options, err error) {
	o = Options{Runs: 10_000, Slots: 16, Seconds: 1, Store: "dir"}
	for _, v := range []struct {
		name string
		set  func(string) error
	}{
		{"RUNS", func(s string) (err error) { o.Runs, err = strconv.Atoi(s); return err }},
		{"SLOTS", func(s string) (err error) { o.Slots, err = strconv.Atoi(s); return err }},
		{"SECONDS", func(s string) (err error) { o.Seconds, err = strconv.ParseFloat(s, 64); return err }},
		{"STORE", func(s string) error { o.Store = s; return nil }},
	} {
		if s := getenv("SWEEP_BENCH_" + v.name); s != "" {
			if err := v.set(s); err != nil {
				return o, fmt.Errorf("%s=%s: %w", v.name, s, err)
			}
		}
	}
	switch {
	case o.Runs < 1 || o.Runs > runsOfAxis && o.Runs%runsOfAxis != 0:
		return o, fmt.Errorf("RUNS=%d: want 1 to %d, or a multiple of %[2]d", o.Runs, runsOfAxis)
	case o.Slots < 1:
		return o, fmt.Errorf("SLOTS=%d: want at least 1", o.Slots)
	case !(o.Seconds >= 0):
		return o, fmt.Errorf("SECONDS=%g: want at least 0", o.Seconds)
	case o.Store != "dir" && o.Store != "minio":
		return o, fmt.Errorf("STORE=%s: want dir or minio", o.Store)
	}
	return o, nil
}

// Variables returns the variables of a process of the program whose probe leaves what it sees in a folder.
func (o Options) Variables(folder string) []string {
	return []string{ProbeVariable + "=" + folder, fmt.Sprintf("%s=%g", SecondsVariable, o.Seconds)}
}

// runsOfAxis is how many values the first axis of the grid has at most.
const runsOfAxis = 1000

// Grid returns the grid: runs of two steps of one small shape that share none.
func (o Options) Grid() string {
	axis := func(n int, value func(i int) string) string {
		values := make([]string, n)
		for i := range values {
			values[i] = value(i)
		}
		return "[" + strings.Join(values, ", ") + "]"
	}
	first := min(o.Runs, runsOfAxis)
	return fmt.Sprintf(`name: bench-sweep
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 2000, active: 2}, eval_tokens: 32}
parameters:
  seed: %s
  lr: %s
train: {dict_size: 16, k: 2, batch_size: 16, steps: 2}
`, axis(first, strconv.Itoa),
		axis(o.Runs/first, func(i int) string { return fmt.Sprintf("%g", 0.001*float64(i+1)) }))
}

// Ideal is how long the steps of all runs take if no slot ever waits, in seconds.
func (o Options) Ideal() float64 { return float64(o.Runs) * o.Seconds / float64(o.Slots) }
