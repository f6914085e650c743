//go:build unix

package stack_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflow/v1"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
)

// longPause is an environment variable: with it a server is also paused for longer than a heartbeat may be missing.
const longPause = "SWEEP_STACK_LONG_PAUSE"

const (
	shortPause    = 6 * time.Second // longer than five seconds, and than two intervals of heartbeats
	beyondTimeout = 26 * time.Second
)

// pausedSteps are far more steps than a worker trains before a test has ended.
const pausedSteps = 5_000_000

// testPause: the Temporal server stands still, and its connections break, while a worker that dialled it trains. The
// worker goes on training, gives nothing back, and no other attempt is made.
func testPause(t *testing.T, s *stack) {
	const prefix = "pause"
	store, p := s.store(t, prefix), startProxy(t, s.temporal.address)
	cmd := exec.Command(s.bin.worker, "worker", "--address", p.address(), "--store", url(prefix), "--slots", "1")
	cmd.Env = s.env("GOMAXPROCS=1")
	w := startProcess(t, s.dir, prefix, cmd)
	grid := writeGrid(t, gridOf(prefix, "{k: [4]}", pausedSteps))
	id := strings.TrimSpace(s.sweep(t, prefix, "submit", grid, "--address", s.temporal.address))
	step := int64(0)
	progress := func() {
		t.Helper()
		before := step
		until(t, "a further checkpoint", func() bool { step = highest(t, store); return step > before })
	}
	pause := func(d time.Duration) {
		t.Helper()
		s.temporal.signal(syscall.SIGSTOP)
		defer s.temporal.signal(syscall.SIGCONT)
		passes(t, d, progress)
	}
	progress()
	pause(shortPause)
	progress()
	s.wantFirstAttempt(t, "a server that stood still", id, store, w)

	for range 5 {
		p.reset()
		progress()
	}
	p.hold(true)
	passes(t, shortPause, progress)
	p.hold(false)
	p.reset()
	p.delay(time.Second)
	progress()
	p.delay(0)
	progress()
	s.wantFirstAttempt(t, "connections that broke", id, store, w)

	if os.Getenv(longPause) != "" {
		// The server takes the worker for gone then, and makes another attempt, which goes on where the first one was.
		pause(beyondTimeout)
		at := step
		until(t, "the second attempt", func() bool { return w.logged("claim=2") })
		progress()
		if claims(t, store) != 2 || step < at || w.logged("from=0 to=5000000 claim=2") {
			t.Errorf("after a long pause: %d claims, step %d, was %d", claims(t, store), step, at)
		}
	}
	s.sweep(t, prefix, "cancel", id, "--address", s.temporal.address)
	if !w.stop(t) {
		t.Errorf("the worker ended with %v", w.cmd.ProcessState)
	}
}

// wantFirstAttempt checks that the only stage of a sweep is still trained by its first attempt.
func (s *stack) wantFirstAttempt(t *testing.T, after, id string, store storage.Store, w *process) {
	t.Helper()
	c := s.temporal.dial(t)
	defer c.Close()
	var stages []*workflow.PendingActivityInfo
	until(t, "an answer of the server", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		d, err := c.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return false
		}
		stages = slices.DeleteFunc(d.PendingActivities, func(a *workflow.PendingActivityInfo) bool {
			return a.ActivityType.GetName() != protocol.ActivityTrain
		})
		return true
	})
	if len(stages) != 1 || stages[0].Attempt != 1 || claims(t, store) != 1 || w.logged("claim=2") ||
		w.logged("Activity error") {
		t.Errorf("after %s: %v, %d claims; see the log of the worker", after, stages, claims(t, store))
	}
}

// passes waits until some time has passed, and progress was made in it.
func passes(t *testing.T, d time.Duration, progress func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	progress()
	<-ctx.Done()
	progress()
}

// A proxy passes connections on to a server.
type proxy struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cond  *sync.Cond
	held  bool
	slow  time.Duration
	conns map[net.Conn]bool
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, conns: map[net.Conn]bool{}}
	p.cond = sync.NewCond(&p.mu)
	go p.serve()
	t.Cleanup(func() { l.Close(); p.hold(false); p.reset() })
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", p.to)
		if err != nil {
			from.Close()
			continue
		}
		p.mu.Lock()
		p.conns[from], p.conns[to] = true, true
		p.mu.Unlock()
		go p.pass(from, to)
		go p.pass(to, from)
	}
}

// pass passes on what comes from one side, until either is closed.
func (p *proxy) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		p.mu.Lock()
		for p.held {
			p.cond.Wait()
		}
		slow := p.slow
		p.mu.Unlock()
		if slow > 0 {
			<-time.After(slow)
		}
		if _, e := to.Write(b[:n]); err != nil || e != nil {
			return
		}
	}
}

// reset breaks all connections off.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
	clear(p.conns)
}

// hold lets nothing pass until it is called with false.
func (p *proxy) hold(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	p.cond.Broadcast()
}

// delay makes all that passes so much slower.
func (p *proxy) delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = d
}

// claims counts the claims of a store.
func claims(t *testing.T, s storage.Store) (n int) {
	t.Helper()
	for _, o := range list(t, s) {
		if strings.Contains(o.Key, "/claims/") {
			n++
		}
	}
	return n
}
