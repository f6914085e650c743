package sweepbench

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Result is what a sweep cost.
type Result struct {
	Options
	Date                   time.Time
	Processor              string        // what it calls itself
	Wall                   time.Duration // of the client, from its start to its end
	LoadBefore, LoadDuring float64
	Costs                  []Cost
	Requests               Requests // of all processes
	Histories              Histories
	DatabaseBytes          int64 // that the sweep added
	LogBytes               int64

	gaps []time.Duration // sorted
}

// A Cost is what a process took while the sweep ran.
type Cost struct {
	Name string
	Busy time.Duration // processor time
	Peak int64         // the largest memory that the process, or one that it started, ever had, in bytes
}

// AddSeen adds what the probes of processes have left in a folder. Each of the processes has so many slots.
func (r *Result) AddSeen(folder string, slots int, pids ...int) error {
	if r.Requests == nil {
		r.Requests = Requests{}
	}
	for _, pid := range pids {
		s, err := readSeen(folder, pid)
		if err != nil {
			return err
		}
		for first, kinds := range s.Requests {
			if r.Requests[first] == nil {
				r.Requests[first] = map[string]int{}
			}
			for kind, n := range kinds {
				r.Requests[first][kind] += n
			}
		}
		r.gaps = append(r.gaps, gaps(s.Uses, slots)...)
	}
	slices.Sort(r.gaps)
	return nil
}

// models are the requests for files of models, whose number does not depend on how a sweep is carried out.
const models = "models"

// RequestsPerRun returns the requests of a kind a run, those for files of models apart; of all kinds for "".
func (r Result) RequestsPerRun(kind string) float64 {
	n := 0
	for first, kinds := range r.Requests {
		for k, m := range kinds {
			if first != models && (kind == "" || k == kind) {
				n += m
			}
		}
	}
	return float64(n) / float64(r.Runs)
}

// BusyPerRun returns the processor time of all processes a run.
func (r Result) BusyPerRun() time.Duration {
	var all time.Duration
	for _, c := range r.Costs {
		all += c.Busy
	}
	return all / time.Duration(r.Runs)
}

// Markdown returns the result as one table.
func (r Result) Markdown() string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, fmt.Sprintf(format, args...))
	}
	row("measure", "value")
	row("---", "---")
	row("what", "%d runs of %g s on %d slots, embedded server, store: %s", r.Runs, r.Seconds, r.Slots, r.Store)
	row("when", "%s", r.Date.UTC().Format("2006-01-02 15:04 UTC"))
	row("where", "%s, %d cores; load %.1f before, %.1f during", r.Processor, runtime.NumCPU(), r.LoadBefore, r.LoadDuring)
	row("wall", "%.1f s, %.1f runs/s", r.Wall.Seconds(), float64(r.Runs)/r.Wall.Seconds())
	if ideal := r.Ideal(); ideal > 0 {
		row("ideal", "%.1f s; wall is %.2f times that", ideal, r.Wall.Seconds()/ideal)
	}
	row("processor time a run", "%s", ms(r.BusyPerRun()))
	for _, c := range r.Costs {
		row("– "+c.Name, "%s; peak memory %s", ms(c.Busy/time.Duration(r.Runs)), mib(c.Peak))
	}
	row("requests a run", "%.2f, besides files of models", r.RequestsPerRun(""))
	kinds := []string{"get", "put", "putnew", "list", "delete"}
	for _, kind := range kinds {
		row("– "+kind, "%.2f", r.RequestsPerRun(kind))
	}
	for _, first := range slices.Sorted(maps.Keys(r.Requests)) {
		var parts []string
		for _, kind := range kinds {
			if n := r.Requests[first][kind]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %.2f", kind, float64(n)/float64(r.Runs)))
			}
		}
		row("– on "+first+"/", "%s", strings.Join(parts, ", "))
	}
	row("gap on a slot", "median %s, 99 %% %s, most %s; %d gaps",
		ms(quantile(r.gaps, 0.5)), ms(quantile(r.gaps, 0.99)), ms(quantile(r.gaps, 1)), len(r.gaps))
	h := r.Histories
	row("histories", "%d with %.1f events a run; most events %d, most bytes %s",
		h.Count, float64(h.Events)/float64(r.Runs), h.MostEvents, mib(h.MostBytes))
	row("database", "%s, %.2f KiB a run", mib(r.DatabaseBytes), float64(r.DatabaseBytes)/1024/float64(r.Runs))
	row("logs", "%s, %.2f KiB a run", mib(r.LogBytes), float64(r.LogBytes)/1024/float64(r.Runs))
	return b.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
func mib(n int64) string        { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
