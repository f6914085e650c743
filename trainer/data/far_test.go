package data

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A few rows that are not huge but hold most of the variance, which nmse is about, have a
// note. Others have none.
func TestFarRows(t *testing.T) {
	const dim, rows = 32, 6400
	length := math.Sqrt(dim) // of an ordinary row without mean
	for name, c := range map[string]struct {
		every int     // of these rows one is a sink
		sink  float64 // its norm
		mean  float64 // norm of what all other rows have in common
		want  bool
	}{
		"no sinks":                                     {rows + 1, 0, 0, false},
		"no sinks, a large mean":                       {rows + 1, 0, 50 * length, false},
		"one in 32, eight medians":                     {32, 8 * length, 0, true},
		"one in 128, nine medians of rows with a mean": {128, 9 * 10 * length, 10 * length, true},
		"one in 512, one median of rows with a mean":   {512, 40 * length, 40 * length, true},
		"one in 128, three medians":                    {128, 3 * length, 0, false},
		"every third":                                  {3, 8 * length, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			x := gaussian(rows, dim, ones)
			for i := range x {
				x[i] += float32(c.mean / length)
				if i/dim%c.every == 1 {
					x[i] = float32(0.01*float64(x[i]) + c.sink/length*[]float64{1, -1}[i%2])
				}
			}
			var notes []string
			for _, normalize := range []string{"none", "mean_square"} {
				i := shardOf(t, dim, x).open(t, trainer.DataSpec{Normalize: normalize}).Info()
				text := strings.Join(i.Notes, "\n")
				if got := strings.Contains(text, "half of the variance"); got != c.want || i.HugeShare > 0.5 {
					t.Errorf("notes %q, share of huge rows %g", text, i.HugeShare)
				}
				notes = append(notes, text)
			}
			if notes[0] != notes[1] {
				t.Errorf("notes depend on the scale: %q", notes)
			}
		})
	}
}

// The fewest rows are counted, and their smallest norm is named.
func TestFarRowsCounted(t *testing.T) {
	for sinks, want := range map[int]far{
		0:   {},
		1:   {1, 1000, 7},
		10:  {6, 1000, 7},
		50:  {26, 1000, 7},
		98:  {50, 1000, 7}, // 49 rows and the ordinary ones hold more than 49
		120: {},
	} {
		list := make([]distance, 1000)
		for i := range list {
			if list[i] = (distance{1e-3, 1}); i < sinks {
				list[i] = distance{10, 49 * 4}
			}
		}
		if got := farRows(list, 2); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d sinks: %+v, want %+v", sinks, got, want)
		}
	}
	if got := farRows(make([]distance, farLeast-1), 1); got != (far{}) {
		t.Errorf("too few rows: %+v", got)
	}
	if got := farRows(make([]distance, 1000), 1); got != (far{}) {
		t.Errorf("equal rows: %+v", got)
	}
}
