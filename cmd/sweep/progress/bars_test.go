package progress

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/topksweep/sweep/sweep/protocol"
)

// The line of a sweep counts what is reused, failed and tried again. It says when the sweep will be done for as long as
// its forecast holds, and never that this was in the past.
func TestSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		header, labels := planOverK()
		v := &bars{header: header, labels: labels, start: time.Now()}
		show := func(after time.Duration, want string) {
			t.Helper()
			time.Sleep(after)
			if got := v.summary(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		show(5*time.Second, "0:05")
		s := Snapshot{Retries: []Retry{{}, {}}, Forecast: Forecast{At: time.Now(), Left: 12 * time.Second}}
		s.Progress.Summary = protocol.Summary{Cells: 2, Reused: 1, Failed: 1, Steps: 350}
		v.latest.set(s)
		const counts = "  1 reused  1 failed  2 retrying"
		show(0, "0:05  ETA about 0:15"+counts)
		show(4*time.Second, "0:09  ETA about 0:10"+counts)
		show(10*time.Second, "0:19  ETA about 0:05"+counts)
		show(10*time.Second, "0:29"+counts) // nothing was heard of the sweep since
		s.Forecast = Forecast{At: time.Now(), Finishing: true}
		v.latest.set(s)
		show(0, "0:29  finishing"+counts)
	})
}

// What a forecast says is no more exact than what can be known.
func TestForecastRounds(t *testing.T) {
	now := time.Unix(0, 0)
	for left, want := range map[time.Duration]string{
		-time.Minute:                   "about 0:05",
		0:                              "about 0:05",
		51 * time.Second:               "about 0:55",
		61 * time.Second:               "about 1:10",
		10*time.Minute + 1:             "about 10:30",
		61*time.Minute + 1:             "about 1:02:00",
		26*time.Hour + time.Nanosecond: "about 26:01:00",
	} {
		if got := (Forecast{At: now, Left: left}).Text(now); got != want {
			t.Errorf("%v: %q, want %q", left, got, want)
		}
	}
	if got := (Forecast{}).Text(now); got != "" {
		t.Errorf("no forecast: %q", got)
	}
}
