//go:build unix

package stack_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	chaosWorkers = 6
	chaosGrid    = "{init: [none, a, b], k: [2, 4], auxk_alpha: [0, 0.03125], seed: [0, 1]}"
	chaosCells   = 24
)

// testChaos: workers are killed at many moments of their work, MinIO and Temporal are
// killed and started again, and garbage is collected again and again (which fails in an
// outage). Besides come the disturbances of chaos_disturb_test.go. Two thirds of the cells begin
// from models, whose folders are gone once the sweep is submitted. The sweep must end as an
// undisturbed one does. SWEEP_CHAOS_KILLS is the number of kills, and SWEEP_CHAOS_SEED decides
// when which process is killed.
func testChaos(t *testing.T, s *stack) {
	const prefix = "chaos"
	t.Chdir(chaosView(t)) // the working directory of all processes but those that see other data
	grid, models := chaosGridFile(t)
	want, local := s.undisturbed(t, grid)
	if strings.Count(want, "completed") != chaosCells {
		t.Fatalf("the undisturbed sweep:\n%s", want)
	}

	c := newChaos(t, s, prefix)
	c.want = want
	c.rivalGrid, _ = chaosGridFile(t) // with models of its own, which stay
	c.id = strings.TrimSpace(s.sweep(t, prefix, "submit", grid, "--address", s.temporal.address))
	for _, folder := range models {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	for i := range chaosWorkers {
		c.workers = append(c.workers, &chaosWorker{name: fmt.Sprintf("chaos-%d", i)})
	}
	c.run()
	others := c.checkDisturbances()

	collected := 0
	for _, p := range c.collectors {
		until(t, "end of a garbage collection", p.ended)
		if p.cmd.ProcessState.Success() {
			collected++
		}
	}
	t.Logf("seed %d: %d kills of workers survived (%s), and %s, and %s; garbage collected %d times of %d",
		c.seed, c.kills, counts(c.moments), counts(c.outages), others, collected, len(c.collectors))
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
	sum.Steps = 0 // the steps of a stage are not counted if its worker was killed just after saving
	if want := (protocol.Summary{Cells: chaosCells, Completed: chaosCells}); sum != want {
		t.Errorf("the sweep ended with %+v, want %+v", sum, want)
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

// chaosGridFile writes the grid, and the models that its cells begin from beside it.
func chaosGridFile(t *testing.T) (grid string, models []string) {
	t.Helper()
	text := gridOf("chaos", chaosGrid, 3500)
	line := regexp.MustCompile(`data: .*`).FindString(text)
	grid = writeGrid(t, strings.Replace(text, line, "data: {source: "+chaosSource(t)+", normalize: mean_square}", 1))
	return grid, []string{writeModel(t, grid, "a", 1), writeModel(t, grid, "b", 2)}
}

// A moment is a point of a worker's work at which it is killed.
type moment string

const (
	started    moment = "a run just begun or resumed"
	uploaded   moment = "a state without its manifest"
	saved      moment = "a checkpoint just written"
	evaluating moment = "in evaluation"
	outage     moment = "in an outage"
)

// A chaosWorker is a worker that is started again whenever it has ended.
type chaosWorker struct {
	*process
	name   string
	starts int
	read   int64  // bytes of its log that have been read
	run    string // the run that it trains; "" if none is known
}

// chaos disturbs one sweep.
type chaos struct {
	t        *testing.T
	s        *stack
	prefix   string
	id       string
	store    storage.Store
	temporal client.Client
	seed     uint64
	rng      *rand.Rand
	workers  []*chaosWorker

	wanted, kills int
	moments       map[moment]int // kills by moment
	killsOfRun    map[string]int
	target        moment // the next kill is at this moment …
	skip          int    // … after so many others of the same kind
	passed        int    // moments of any kind since the last kill

	seen    map[string]bool           // keys and attempts seen before
	results map[string]storage.Object // as first seen

	claims      claimsByFolder // as the newest listing of the store shows them
	evaluations map[string]int // attempts that were seen, by activity

	planned   []*planned
	want      string // the table of the undisturbed sweep
	rivalGrid string // the same grid in another file

	collectors []*process // of garbage

	outageAfter map[int]string // the server to kill, by the number of kills before that
	down        string         // the server that is down; "" for none
	starts      int            // largest number of starts of a worker before the outage
	outages     map[string]int // by server
}

func newChaos(t *testing.T, s *stack, prefix string) *chaos {
	c := &chaos{
		t: t, s: s, prefix: prefix, store: s.store(t, prefix), temporal: s.temporal.dial(t),
		seed: uint64(number(t, "SWEEP_CHAOS_SEED", 1)), wanted: number(t, "SWEEP_CHAOS_KILLS", 50),
		moments: map[moment]int{}, killsOfRun: map[string]int{}, outageAfter: map[int]string{}, outages: map[string]int{},
		seen: map[string]bool{}, results: map[string]storage.Object{}, evaluations: map[string]int{},
		claims: newClaimsByFolder(),
	}
	t.Cleanup(c.temporal.Close)
	c.rng = rand.New(rand.NewPCG(c.seed, 0))
	for i, server := range []string{"MinIO", "Temporal", "MinIO", "Temporal"} {
		quarter := max(1, c.wanted/4)
		c.outageAfter[i*quarter+1+c.rng.IntN(quarter)] = server
	}
	c.chooseNextKill()
	c.planned = c.disturbances()
	return c
}

// number returns the number in an environment variable, or otherwise if it is not set.
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

// chooseNextKill decides at which moment the next worker is killed.
func (c *chaos) chooseNextKill() {
	of := []moment{started, uploaded, uploaded, saved, saved}
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
		c.disturb()
		begun := c.readLogs()
		if c.readStore(ctx) { // after the logs: whoever has begun has claimed its folder
			for _, w := range begun {
				c.mayKill(started, w)
			}
		}
		if c.ended(ctx) {
			return
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("the sweep has not ended in time, after %d kills", c.kills)
		case <-tick.C:
		}
	}
}

// supervise starts workers that have ended. A worker that is started in an outage cannot
// reach the server and ends: then supervise starts the server again.
func (c *chaos) supervise() {
	for _, w := range c.workers {
		if w.process != nil && !w.ended() {
			continue
		}
		if w.process != nil && c.down != "" && w.starts > c.starts {
			c.restore()
		}
		w.run = ""
		w.starts++
		w.process = c.s.startWorker(c.t, w.name, c.prefix)
	}
}

// mayKill is called at a moment at which w may be killed, and kills it if that is the
// moment that was chosen.
func (c *chaos) mayKill(m moment, w *chaosWorker) {
	if w == nil || w.ended() || c.kills >= c.wanted || c.down != "" || !c.mayDie(w) {
		return
	}
	c.passed++
	const (
		maxKillsOfRun = 3 // the pause before a run's next attempt doubles with each kill
		maxPassed     = 8 // then any moment will do: some kinds become rare
	)
	left := chaosCells - len(c.results)
	switch late := c.wanted-c.kills > left; {
	case late: // kill at every moment, else the sweep ends before the last kill
	case w.run != "" && c.killsOfRun[w.run] >= maxKillsOfRun:
		return
	case m == evaluating: // evaluations are few and take little time
		if c.rng.IntN(2) == 0 {
			return
		}
	case c.passed >= maxPassed:
	case m != c.target:
		return
	case c.skip > 0:
		c.skip--
		return
	}
	c.kill(m, w)
	if server := c.outageAfter[c.kills]; server != "" {
		c.startOutage(server)
	}
}

// kill kills a worker. After every fifth kill it starts a garbage collection.
func (c *chaos) kill(m moment, w *chaosWorker) {
	w.kill()
	c.killsOfRun[w.run]++
	c.kills++
	c.moments[m]++
	c.chooseNextKill()
	if c.kills%5 == 0 {
		c.collectors = append(c.collectors, c.s.startGC(c.t, c.prefix))
	}
}

// startOutage kills a server, and one of the workers that train.
func (c *chaos) startOutage(server string) {
	c.down = server
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
	var busy []*chaosWorker
	for _, w := range c.workers {
		w.starts = c.starts // a start during the outage raises it above c.starts
		if w.run != "" && !w.ended() && c.mayDie(w) {
			busy = append(busy, w)
		}
	}
	if len(busy) > 0 && c.kills < c.wanted {
		c.kill(outage, busy[c.rng.IntN(len(busy))])
	}
}

// restore starts the server that is down again.
func (c *chaos) restore() {
	if c.down == "MinIO" {
		c.s.minio.Restart()
	} else {
		c.s.temporal.restart(c.t)
	}
	c.down = ""
}

// counts lists the numbers by key, as "key: number, …".
func counts[K ~string](m map[K]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s: %d", string(k), m[k]))
	}
	return strings.Join(parts, ", ")
}
