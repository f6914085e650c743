package progress

import (
	"fmt"
	"time"
)

// percentInterval is how often Percent draws its line.
const percentInterval = 200 * time.Millisecond

// Percent returns a function that shows how far a long scan of data is, in bytes, as a
// percentage that is drawn anew on one line. It shows nothing if t is not
// interactive. The line is removed when done is total.
func Percent(t Terminal) func(done, total int64) {
	return percent(t, func(share, total int64) string {
		return fmt.Sprintf("reading the data: %d%% of %.1f GB", share, float64(total)/1e9)
	})
}

// PercentOf is Percent for other work, which what names, as in "comparing models".
func PercentOf(t Terminal, what string) func(done, total int64) {
	return percent(t, func(share, _ int64) string { return fmt.Sprintf("%s: %d%%", what, share) })
}

func percent(t Terminal, line func(share, total int64) string) func(done, total int64) {
	start := time.Now()
	drawn := start
	return func(done, total int64) {
		switch {
		case !t.Interactive || total == 0:
		case done == total:
			if drawn.After(start) {
				fmt.Fprint(t.Out, "\r\x1b[K")
			}
		case time.Since(drawn) > percentInterval:
			drawn = time.Now()
			fmt.Fprint(t.Out, "\r\x1b[K"+line(100*done/total, total))
		}
	}
}
