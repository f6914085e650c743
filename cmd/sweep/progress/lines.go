package progress

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// lines lists what happens, for logs and pipes: stages that begin and end, and at
// intervals where the running ones stand.
type lines struct {
	out      io.Writer
	labels   *Labels
	start    time.Time
	lastLine time.Time // when something was last written
	training map[stageKey]bool
	reported map[Retry]bool
	ended    int     // runs that have ended
	digest   *digest // of a sweep with many runs; nil for others
}

// reportInterval is how long lines writes nothing while all goes well.
const reportInterval = 10 * time.Second

func newLines(out io.Writer, labels *Labels) *lines {
	return &lines{out: out, labels: labels, start: time.Now(), training: map[stageKey]bool{}, reported: map[Retry]bool{}}
}

func (v *lines) Say(line string) {
	fmt.Fprintf(v.out, "%8s  %s\n", Clock(time.Since(v.start)), line)
	v.lastLine = time.Now()
}

func (v *lines) printf(format string, args ...any) { v.Say(fmt.Sprintf(format, args...)) }

func (v *lines) Show(s Snapshot) {
	if v.digest != nil {
		v.showDigest(s, time.Now())
		return
	}
	v.showStages(s)
	for _, r := range s.Retries {
		if !v.reported[r] {
			v.reported[r] = true
			v.printf("retrying %s", v.labels.Retry(r))
		}
	}
	v.showCounts(s)
	if time.Since(v.lastLine) >= reportInterval {
		if left := s.Forecast.left(time.Now()); left != "" {
			v.printf("%d of %d runs done%s", s.Progress.Completed, s.Progress.Cells, left)
		}
		for _, b := range s.Training {
			v.printf("%d/%d steps  %s  %s", b.Step, b.Steps, v.labels.stage(keyOf(b)), Describe(b))
		}
	}
}

// showDigest is Show for a sweep with many runs.
func (v *lines) showDigest(s Snapshot, now time.Time) {
	d := v.digest
	d.troubles(s, v.Say)
	if !d.due(s, now) {
		return
	}
	d.count(s, now)
	v.Say(counts(s) + d.rates + best(s) + s.Forecast.left(now))
}

// showStages names the stages that have ended or begun. A stage has ended when the
// workflow no longer counts its first cell as running, or when that cell is seen
// in another stage. A missing heartbeat alone does not mean that: the stage may
// wait for another worker.
func (v *lines) showStages(s Snapshot) {
	running := map[int]bool{} // cells that wait for a worker, are in training or in evaluation
	for _, c := range s.Progress.Running {
		running[c] = true
	}
	stages := map[int]stageKey{}
	for _, b := range s.Training {
		stages[b.Cell] = keyOf(b)
	}
	for _, k := range slices.SortedFunc(maps.Keys(v.training), stageKey.compare) {
		if later, ok := stages[k.cell]; !running[k.cell] || ok && later != k {
			delete(v.training, k)
			v.printf("ended    %s", v.labels.stage(k))
		}
	}
	for _, b := range s.Training {
		if k := keyOf(b); !v.training[k] {
			v.training[k] = true
			v.printf("training %s", v.labels.stage(k))
		}
	}
}

// showCounts counts the runs when one more has ended.
func (v *lines) showCounts(s Snapshot) {
	if ended(s) == v.ended {
		return
	}
	v.ended = ended(s)
	v.Say(counts(s) + s.Forecast.left(time.Now()))
}

func (v *lines) Close() {}
