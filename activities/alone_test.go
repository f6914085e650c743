package activities

import (
	"context"
	"errors"
	"testing"
	"time"
)

// entered is the outcome of an attempt to enter a gate that goes on in the background.
func entered(ctx context.Context, p *pass, alone bool) chan error {
	done := make(chan error, 1)
	go func() { done <- p.enter(ctx, alone, patience{time.Hour, time.Hour}) }()
	return done
}

// Attempts train side by side. One that is to train alone waits until the others have left, which are told to.
// Meanwhile, and until it shares or leaves, nobody else comes in.
func TestGate(t *testing.T) {
	var g trainingGate
	ctxA, a := g.pass(t.Context())
	ctxB, b := g.pass(t.Context())
	for _, p := range []*pass{a, b} {
		if err := p.enter(t.Context(), false, patience{}); err != nil {
			t.Fatal(err)
		}
	}
	if ctxA.Err() != nil || ctxB.Err() != nil {
		t.Error("an attempt that trains beside another one was told to step aside")
	}
	ctxC, c := g.pass(t.Context())
	done := entered(ctxC, c, true)
	<-ctxA.Done()
	<-ctxB.Done()
	if context.Cause(ctxA) != ErrSteppedAside || context.Cause(ctxB) != ErrSteppedAside {
		t.Errorf("the others end with %v and %v", context.Cause(ctxA), context.Cause(ctxB))
	}
	ctxD, d := g.pass(t.Context())
	refused := func(when string) {
		t.Helper()
		for _, alone := range []bool{false, true} {
			if err := d.enter(ctxD, alone, patience{0, time.Hour}); !errors.Is(err, ErrAloneHere) {
				t.Errorf("%s, alone %v: %v", when, alone, err)
			}
		}
	}
	refused("while one waits to train alone")
	a.close()
	select {
	case err := <-done:
		t.Errorf("it trains alone beside another one: %v", err)
	default:
	}
	b.close()
	b.close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	refused("while one trains alone")
	c.share()
	c.share()
	if err := d.enter(ctxD, false, patience{}); err != nil {
		t.Errorf("after the first new checkpoint: %v", err)
	}
	if ctxC.Err() != nil {
		t.Error("one that has shared was told to step aside for one that is not alone")
	}
	_, e := g.pass(t.Context())
	done = entered(t.Context(), e, true)
	<-ctxC.Done()
	<-ctxD.Done()
	c.close()
	d.close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	e.close()
	if g.alone != nil || g.emptied != nil || len(g.inside) > 0 {
		t.Errorf("left over: %+v", &g)
	}
}

// An attempt that waits to train alone gives up when it must end, or when the others do not leave. The gate is open
// then.
func TestGateGivesUp(t *testing.T) {
	var g trainingGate
	_, a := g.pass(t.Context())
	if err := a.enter(t.Context(), false, patience{}); err != nil {
		t.Fatal(err)
	}
	_, b := g.pass(t.Context())
	if err := b.enter(t.Context(), true, patience{}); !errors.Is(err, ErrAloneHere) {
		t.Errorf("others do not leave: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	_, c := g.pass(ctx)
	done := entered(ctx, c, true)
	cancel(ErrStopping)
	if err := <-done; !errors.Is(err, ErrStopping) {
		t.Errorf("the worker stops: %v", err)
	}
	_, d := g.pass(t.Context())
	if err := d.enter(t.Context(), false, patience{}); err != nil {
		t.Errorf("after both gave up: %v", err)
	}
	a.close()
	d.close()
	// Leaving late must not open the gate of another one.
	_, e := g.pass(t.Context())
	if err := e.enter(t.Context(), true, patience{}); err != nil {
		t.Fatal(err)
	}
	b.close()
	c.close()
	if _, f := g.pass(t.Context()); !errors.Is(f.enter(t.Context(), false, patience{}), ErrAloneHere) {
		t.Error("the end of an attempt that gave up has opened the gate")
	}
}

// An attempt that saves what it has trained to its end is waited for, and not told to step aside.
func TestGateKeeps(t *testing.T) {
	var g trainingGate
	ctxA, a := g.pass(t.Context())
	if err := a.enter(t.Context(), false, patience{}); err != nil {
		t.Fatal(err)
	}
	a.keep()
	_, b := g.pass(t.Context())
	done := entered(t.Context(), b, true)
	when(func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.emptied != nil
	})
	select {
	case err := <-done:
		t.Errorf("it trains alone beside another one: %v", err)
	default:
	}
	if ctxA.Err() != nil {
		t.Errorf("it was told to end: %v", context.Cause(ctxA))
	}
	a.close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.close()
}

// An attempt that hangs and is given up leaves: a suspected one would keep all others out for ever.
func TestGateOfGivenUp(t *testing.T) {
	var g trainingGate
	for _, alone := range []bool{false, true} {
		w := newWatch()
		_, a := g.pass(context.WithValue(t.Context(), watchKey{}, w))
		if err := a.enter(t.Context(), alone, patience{}); err != nil {
			t.Fatal(err)
		}
		_, b := g.pass(t.Context())
		done := entered(t.Context(), b, true)
		close(w.gone)
		if err := <-done; err != nil {
			t.Errorf("alone %v: %v", alone, err)
		}
		a.close() // it wakes up
		if g.alone != b {
			t.Errorf("alone %v: one that wakes up has opened the gate of another one", alone)
		}
		b.close()
	}
	if g.alone != nil || g.emptied != nil || len(g.inside) > 0 {
		t.Errorf("left over: %+v", &g)
	}
}

// Those that wait for their turn come in as soon as they may, and those that are to train alone first.
func TestGateTurns(t *testing.T) {
	var g trainingGate
	pass := func() *pass {
		_, p := g.pass(t.Context())
		return p
	}
	first, suspect, other := pass(), pass(), pass()
	if err := first.enter(t.Context(), true, patience{}); err != nil {
		t.Fatal(err)
	}
	suspected := entered(t.Context(), suspect, true)
	when(func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.suspects == 1
	})
	beside := entered(t.Context(), other, false)
	first.share()
	when(func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.alone == suspect
	})
	select {
	case err := <-suspected:
		t.Errorf("it trains alone beside the first: %v", err)
	case err := <-beside:
		t.Errorf("one that is to train beside others came in: %v", err)
	default:
	}
	first.close()
	if err := <-suspected; err != nil {
		t.Error(err)
	}
	suspect.close()
	if err := <-beside; err != nil {
		t.Error(err)
	}
	other.close()
	if g.alone != nil || g.freed != nil || g.suspects != 0 || len(g.inside) > 0 {
		t.Errorf("left over: %+v", &g)
	}
}
