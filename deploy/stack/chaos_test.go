//go:build unix

package stack_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	chaosWorkers = 6
	chaosGrid    = "{k: [2, 4], auxk_alpha: [0, 0.03125], seed: [0, 1, 2, 3, 4, 5]}"
	chaosCells   = 24
)

// Workers are killed in the middle of what they do, MinIO and Temporal are killed
// and started again, garbage is collected all the while (which fails in an outage),
// and the sweep comes to what an undisturbed one does.
// SWEEP_CHAOS_KILLS and SWEEP_CHAOS_SEED change how often, and what is hit.
func testChaos(t *testing.T, s *stack) {
	const prefix = "chaos"
	grid := writeGrid(t, gridOf("chaos", chaosGrid, 1500))
	want, local := s.undisturbed(t, grid)
	if strings.Count(want, "completed") != chaosCells {
		t.Fatalf("the undisturbed sweep:\n%s", want)
	}

	c := newChaos(t, s, prefix)
	c.id = strings.TrimSpace(s.sweep(t, prefix, "submit", grid, "--address", s.temporal.address))
	for i := range chaosWorkers {
		c.workers = append(c.workers, &victim{name: fmt.Sprintf("chaos-%d", i)})
	}
	c.run()

	collected := 0
	for _, p := range c.collectors {
		until(t, "garbage to be collected", p.ended)
		if p.cmd.ProcessState.Success() {
			collected++
		}
	}
	t.Logf("seed %d: %d kills of workers survived (%s), and %s; garbage collected %d times of %d", c.seed, c.kills, counts(c.moments), counts(c.outages), collected, len(c.collectors))
	if collected == 0 {
		t.Error("garbage was never collected")
	}
	if c.kills < c.wanted {
		t.Errorf("the sweep was over after %d kills, of %d", c.kills, c.wanted)
	}
	var sum protocol.Summary
	if err := c.temporal.GetWorkflow(t.Context(), c.id, "").Get(t.Context(), &sum); err != nil {
		t.Fatal(err)
	}
	sum.Steps = 0 // of a stage that was saved just before its worker was killed, none are counted
	if want := (protocol.Summary{Cells: chaosCells, Completed: chaosCells}); sum != want {
		t.Errorf("the sweep came to %+v, want %+v", sum, want)
	}
	if got := s.sweep(t, prefix, "results", c.id); got != want {
		t.Errorf("results:\n%s\nundisturbed:\n%s", got, want)
	}
	sameOutcome(t, c.store, local)
	for _, o := range list(t, c.store) {
		if first, ok := c.results[o.Key]; ok && first != o {
			t.Errorf("%s was written twice: %v, then %v", o.Key, first, o)
		}
	}
	for _, w := range c.workers {
		w.stop(t)
	}
}

// A moment is when a worker is killed.
type moment string

const (
	begun      moment = "a run just begun or resumed"
	uploaded   moment = "a state without its manifest"
	saved      moment = "a checkpoint just written"
	evaluating moment = "in evaluation"
	blind      moment = "in an outage"
)

// A victim is a worker that is started again whenever it has ended.
type victim struct {
	*process
	name   string
	starts int
	read   int64  // of its log
	run    string // in training; "" if none is known
}

type chaos struct {
	t        *testing.T
	s        *stack
	prefix   string
	id       string
	store    storage.Store
	temporal client.Client
	seed     uint64
	rng      *rand.Rand
	workers  []*victim

	wanted, kills int
	moments       map[moment]int
	hits          map[string]int // kills by run
	target        moment         // when the next kill is to be …
	skip          int            // … after so many others like it
	passed        int            // moments of any kind since the last kill

	seen    map[string]bool           // keys and attempts that are not new any more
	results map[string]storage.Object // as first seen

	collectors []*process // of garbage

	due     map[int]string // outages by the number of kills before them
	outage  string         // the one now
	starts  int            // of workers, in the outage
	outages map[string]int
}

func newChaos(t *testing.T, s *stack, prefix string) *chaos {
	c := &chaos{
		t: t, s: s, prefix: prefix, store: s.store(t, prefix), temporal: s.temporal.dial(t),
		seed: uint64(number(t, "SWEEP_CHAOS_SEED", 1)), wanted: number(t, "SWEEP_CHAOS_KILLS", 50),
		moments: map[moment]int{}, hits: map[string]int{}, seen: map[string]bool{}, results: map[string]storage.Object{},
		due: map[int]string{}, outages: map[string]int{},
	}
	t.Cleanup(c.temporal.Close)
	c.rng = rand.New(rand.NewPCG(c.seed, 0))
	for i, server := range []string{"MinIO", "Temporal", "MinIO", "Temporal"} {
		quarter := max(1, c.wanted/4)
		c.due[i*quarter+1+c.rng.IntN(quarter)] = server
	}
	c.draw()
	return c
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s: want a number", name, v)
	}
	return n
}

// draw decides when the next worker is killed.
func (c *chaos) draw() {
	of := []moment{begun, uploaded, uploaded, saved, saved}
	c.target, c.skip, c.passed = of[c.rng.IntN(len(of))], c.rng.IntN(3), 0
}

// run disturbs the sweep until it has ended.
func (c *chaos) run() {
	ctx, cancel := context.WithTimeout(c.t.Context(), 15*time.Minute)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		c.supervise()
		c.readLogs()
		c.look(ctx)
		if c.ended(ctx) {
			return
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("after %d kills the sweep has not ended in time", c.kills)
		case <-tick.C:
		}
	}
}

// supervise starts workers that have ended. In an outage one that was started
// gives up because it cannot reach the server: that is when the server comes back.
func (c *chaos) supervise() {
	for _, w := range c.workers {
		if w.process != nil && !w.ended() {
			continue
		}
		if w.process != nil && c.outage != "" && w.starts > c.starts {
			c.restore()
		}
		w.run = ""
		w.starts++
		w.process = c.s.startWorker(c.t, w.name, c.prefix)
	}
}

// readLogs notes who trains what.
func (c *chaos) readLogs() {
	for _, w := range c.workers {
		for _, line := range w.news(c.t) {
			if !strings.Contains(line, "msg=training ") {
				continue
			}
			for _, f := range strings.Fields(line) {
				if cell, ok := strings.CutPrefix(f, "cell="); ok {
					for _, other := range c.workers { // whoever had it before has lost it
						if other.run == cell {
							other.run = ""
						}
					}
					w.run = cell
				}
			}
			c.now(begun, w)
		}
	}
}

// news returns the whole lines that the log has got since it was read last.
func (w *victim) news(t *testing.T) []string {
	b, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	b = b[w.read:]
	end := strings.LastIndexByte(string(b), '\n') + 1
	w.read += int64(end)
	return strings.Split(string(b[:end]), "\n")
}

// look sees what is new in the store.
func (c *chaos) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	objects, err := c.store.List(ctx, "")
	if err != nil {
		return // it is down
	}
	there := map[string]bool{}
	for _, o := range objects {
		there[o.Key] = true
	}
	for _, o := range objects {
		if strings.HasPrefix(o.Key, "results/") {
			if _, ok := c.results[o.Key]; !ok {
				c.results[o.Key] = o
			}
		}
		part := strings.Split(o.Key, "/")
		if c.seen[o.Key] || len(part) != 4 || part[0] != "stages" {
			continue
		}
		c.seen[o.Key] = true
		at := strings.Join(strings.Split(part[3], "-")[:min(2, strings.Count(part[3], "-")+1)], "-")
		switch {
		case part[2] == "manifests":
			c.now(saved, c.trainer(part[1]))
		case part[2] == "data" && !there[strings.Join(part[:2], "/")+"/manifests/"+at+".json"]:
			c.now(uploaded, c.trainer(part[1]))
		}
	}
}

func (c *chaos) trainer(run string) *victim {
	i := slices.IndexFunc(c.workers, func(w *victim) bool { return w.run == run })
	if i < 0 {
		return nil
	}
	return c.workers[i]
}

// ended reports whether the sweep has, and sees who evaluates.
func (c *chaos) ended(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	d, err := c.temporal.DescribeWorkflowExecution(ctx, c.id, "")
	if err != nil {
		return false // it is down
	}
	for _, a := range d.PendingActivities {
		key := fmt.Sprintf("activity %s attempt %d", a.ActivityId, a.Attempt)
		if a.ActivityType.GetName() != protocol.ActivityEval || a.State != enums.PENDING_ACTIVITY_STATE_STARTED || c.seen[key] {
			continue
		}
		c.seen[key] = true
		pid, _, _ := strings.Cut(a.LastWorkerIdentity, "@")
		for _, w := range c.workers {
			if strconv.Itoa(w.cmd.Process.Pid) == pid {
				w.run = "" // it would not evaluate if it still trained
				c.now(evaluating, w)
			}
		}
	}
	return d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
}

// now is called at a moment at which w may be killed.
func (c *chaos) now(m moment, w *victim) {
	if w == nil || w.ended() || c.kills >= c.wanted || c.outage != "" {
		return
	}
	c.passed++
	const (
		most     = 3 // kills of one run: the pause before its next attempt doubles with each
		patience = 8 // some moments become rare
	)
	left := chaosCells - len(c.results)
	switch late := c.wanted-c.kills > 2*left; {
	case late: // the sweep must not be over first
	case w.run != "" && c.hits[w.run] >= most:
		return
	case m == evaluating: // they are few and short
		if c.rng.IntN(2) == 0 {
			return
		}
	case c.passed >= patience:
	case m != c.target:
		return
	case c.skip > 0:
		c.skip--
		return
	}
	c.kill(m, w)
	if server := c.due[c.kills]; server != "" {
		c.breakDown(server)
	}
}

func (c *chaos) kill(m moment, w *victim) {
	w.kill()
	c.hits[w.run]++
	c.kills++
	c.moments[m]++
	c.draw()
	if c.kills%5 == 0 {
		c.collectors = append(c.collectors, c.s.startGC(c.t, c.prefix))
	}
}

// breakDown kills a server, and some worker that has to do with it.
func (c *chaos) breakDown(server string) {
	c.outage = server
	c.outages[server+" killed"]++
	if server == "MinIO" {
		c.s.minio.Kill()
	} else {
		c.s.temporal.kill()
	}
	c.starts = 0
	for _, w := range c.workers {
		c.starts = max(c.starts, w.starts)
	}
	var busy []*victim
	for _, w := range c.workers {
		w.starts = c.starts // any start from here on is one in the outage
		if w.run != "" && !w.ended() {
			busy = append(busy, w)
		}
	}
	if len(busy) > 0 && c.kills < c.wanted {
		c.kill(blind, busy[c.rng.IntN(len(busy))])
	}
}

func (c *chaos) restore() {
	if c.outage == "MinIO" {
		c.s.minio.Restart()
	} else {
		c.s.temporal.restart(c.t)
	}
	c.outage = ""
}

func counts[K ~string](m map[K]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s: %d", string(k), m[k]))
	}
	return strings.Join(parts, ", ")
}
