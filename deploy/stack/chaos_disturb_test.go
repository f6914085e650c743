//go:build unix

package stack_test

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// A disturbance happens to the sweep besides the kills of workers, and ends by itself or is undone.
type disturbance interface {
	begin(c *chaos)

	// over is polled from then on. It undoes what begin has done when it is time to, and reports whether all of it
	// has ended.
	over(c *chaos) bool

	// check fails the test if the disturbance was not what it should have been. The sweep has ended.
	check(c *chaos)
}

// A planned disturbance has a name and a time.
type planned struct {
	disturbance
	name        string
	after       int // kills of workers before it begins
	begun, done bool
}

// disturbances are those of the test, in the order of their names. Each begins in the first half of the kills, when the
// seed says; the rival, which takes cells away from those that are killed, after a third. SWEEP_CHAOS_WITHOUT names
// those to leave out, with commas between them.
func (c *chaos) disturbances() []*planned {
	all := map[string]disturbance{
		"elsewhere":      &badWorker{name: "elsewhere", store: "elsewhere", says: "plan"},
		"pause-minio":    &pause{signal: func(s syscall.Signal) { c.s.minio.Signal(s) }, length: c.pauseLength()},
		"pause-temporal": &pause{signal: func(s syscall.Signal) { c.s.temporal.signal(s) }, length: c.pauseLength()},
		"rival":          &rival{},
	}
	maps.Copy(all, c.disturbancesOfViews())
	names := slices.Sorted(maps.Keys(all))
	for _, name := range strings.FieldsFunc(os.Getenv("SWEEP_CHAOS_WITHOUT"), func(r rune) bool { return r == ',' }) {
		if all[name] == nil {
			c.t.Fatalf("SWEEP_CHAOS_WITHOUT: there is no %q; there are %s", name, strings.Join(names, ", "))
		}
		delete(all, name)
	}
	var out []*planned
	for _, name := range names {
		after := 1 + c.rng.IntN(max(1, c.wanted/2)) // drawn for all, so that the others stay where they are
		if name == "rival" {
			after = max(1, c.wanted/3)
		}
		if d, ok := all[name]; ok {
			out = append(out, &planned{disturbance: d, name: name, after: min(after, c.wanted)})
		}
	}
	return out
}

// disturb begins what is due and looks after what has begun.
func (c *chaos) disturb() {
	for _, d := range c.planned {
		switch {
		case d.done:
		case d.begun:
			d.done = d.over(c)
		case c.kills >= d.after && c.down == "" && !c.starting():
			c.t.Logf("after %d kills: %s", c.kills, d.name)
			d.begin(c)
			d.begun = true
		}
	}
}

// starting reports whether a bad worker has begun and is not connected yet. A server that goes away then would be why
// it ends.
func (c *chaos) starting() bool {
	return slices.ContainsFunc(c.planned, func(d *planned) bool {
		b, ok := d.disturbance.(*badWorker)
		return ok && d.begun && !d.done && !b.logged("worker with") && !b.ended()
	})
}

// checkDisturbances waits for the end of all disturbances, and checks each.
func (c *chaos) checkDisturbances() string {
	var names []string
	for _, d := range c.planned {
		if !d.begun {
			c.t.Errorf("%s: the sweep was over after %d kills, of %d before it begins", d.name, c.kills, d.after)
			continue
		}
		if !d.done {
			until(c.t, "end of the disturbance "+d.name, func() bool { return d.over(c) })
		}
		d.check(c)
		names = append(names, d.name)
	}
	if len(names) == 0 {
		return "nothing else"
	}
	return strings.Join(names, ", ")
}

// startExtra starts a worker that is not among those that are killed. dir is its working directory, "" for that of the
// test; store is a prefix in the bucket.
func (c *chaos) startExtra(name, dir, store string, args ...string) *process {
	args = append([]string{"worker", "--address", c.s.temporal.address, "--store", url(store), "--slots", "1"}, args...)
	cmd := exec.Command(c.s.bin.worker, args...)
	cmd.Dir, cmd.Env = dir, c.s.env("GOMAXPROCS=1", "PWD="+dir)
	return startProcess(c.t, c.s.dir, "chaos-"+name, cmd)
}

// A badWorker is one at which everything fails for a reason that lies in the worker. It must give up by itself.
type badWorker struct {
	name  string
	dir   string // working directory
	store string // "": that of the sweep
	says  string // what its log must name
	*process
}

func (b *badWorker) begin(c *chaos) {
	store := b.store
	if store == "" {
		store = c.prefix
	}
	b.process = c.startExtra(b.name, b.dir, store)
}

func (b *badWorker) over(*chaos) bool { return b.ended() }

func (b *badWorker) check(c *chaos) {
	if status := b.cmd.ProcessState.ExitCode(); status != 1 || !b.logged(b.says) {
		c.t.Errorf("%s: ended with status %d, want 1, and %q in its log: %v", b.name, status, b.says, b.logged(b.says))
	}
}
