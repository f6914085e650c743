//go:build unix

package stack_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A rival is the same grid, run by one process with a Temporal server of its own on the store of the sweep: each of
// the two sweeps meets cells that the other trains. The rival must end with the same table.
type rival struct{ *process }

func (r *rival) begin(c *chaos) {
	cmd := exec.Command(c.s.bin.sweep, "run", c.rivalGrid, "--no-ui", "--slots", "1", "--dir", c.t.TempDir(),
		"--store", url(c.prefix))
	cmd.Env = c.s.env("GOMAXPROCS=1")
	r.process = startProcess(c.t, c.s.dir, "chaos-rival", cmd)
}

func (r *rival) over(*chaos) bool { return r.ended() }

func (r *rival) check(c *chaos) {
	log, err := os.ReadFile(r.log)
	if err != nil || !r.cmd.ProcessState.Success() || !strings.Contains(string(log), c.want) {
		c.t.Errorf("the rival: %v, %v\n%s\nwant in it\n%s", r.cmd.ProcessState, err, log, c.want)
	}
}

// A pause is a server that stands still for a while, with its connections open.
type pause struct {
	signal func(syscall.Signal) // to the server
	length time.Duration
	since  time.Time
}

// pauseLength is the number of seconds in SWEEP_CHAOS_PAUSE, 5 if there is none.
func (c *chaos) pauseLength() time.Duration {
	return time.Duration(number(c.t, "SWEEP_CHAOS_PAUSE", 5)) * time.Second
}

func (p *pause) begin(*chaos) {
	p.signal(syscall.SIGSTOP)
	p.since = time.Now()
}

func (p *pause) over(*chaos) bool {
	if time.Since(p.since) < p.length {
		return false
	}
	p.signal(syscall.SIGCONT)
	return true
}

// check has nothing to look at: the outcome of the sweep says whether the pause did harm.
func (p *pause) check(*chaos) {}
