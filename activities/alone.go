package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var (
	// ErrSteppedAside says that an attempt has ended because a suspected stage trains alone in the process. What it had
	// trained is saved.
	ErrSteppedAside = errors.New("stepped aside for a stage that trains alone in this process")
	// ErrAloneHere says that an attempt did not begin because a suspected stage trains alone in the process.
	ErrAloneHere = errors.New("another stage trains alone in this process, because an attempt at it died")
)

// A trainingGate says which attempts of a process may train at a time: any number side by side, or one alone. One that
// is suspected of ending its process trains alone until its first new checkpoint. Then its death costs nobody else
// anything, and it is known whose death it was.
//
// Example of a worker with three slots, in which stage C ends the process two seconds after it begins:
//
//	 0 s  A, B and C train; at 2 s the process is gone. Each of the three is suspected.
//	10 s  The worker is started again. A comes first and trains alone; B and C wait for their turn. After
//	      a while they end with ErrAloneHere, and come again 5 s later. Another worker would take them.
//	20 s  A saves its first new checkpoint: it is not suspected any more. It is B's turn to train alone:
//	      A saves its state and ends with ErrSteppedAside.
//	30 s  B saves a checkpoint. C trains alone: B steps aside.
//	32 s  The process is gone. A and B have lost nothing, and one death of C counts.
//
// After two more such deaths C fails, and all the time A and B train whenever C does not. With one slot no attempt ever
// waits for another one.
type trainingGate struct {
	mu       sync.Mutex
	inside   map[*pass]bool // that train side by side
	alone    *pass          // that trains alone, or waits until the others have left; nil for none
	suspects int            // that wait for their turn to train alone. Others let them go first
	emptied  chan struct{}  // closed when nobody is inside any more; nil if nobody waits for that
	freed    chan struct{}  // closed when another one may be able to enter; nil if nobody waits for that
}

// A pass is one attempt's at a gate.
type pass struct {
	gate *trainingGate
	end  context.CancelCauseFunc // of the attempt's context
	done func()                  // the attempt ends
	kept bool                    // see keep; under gate.mu
}

// pass returns a context for an attempt, which ends with ErrSteppedAside when the attempt is to leave for another one,
// and the attempt's pass, which is not inside yet. The attempt leaves in the end, whatever happens: one that hangs and
// is given up does so too, since those that wait for it would wait for ever.
func (g *trainingGate) pass(ctx context.Context) (context.Context, *pass) {
	gone := watchOf(ctx).goneChannel()
	ctx, end := context.WithCancelCause(ctx)
	done := make(chan struct{})
	p := &pass{gate: g, end: end, done: sync.OnceFunc(func() { close(done) })}
	go func() {
		select {
		case <-gone:
			p.leave()
		case <-done:
		}
	}()
	return ctx, p
}

// patience is for how long attempts wait at a gate.
type patience struct {
	turn  time.Duration // for their turn, while another one trains alone
	aside time.Duration // for others to step aside
}

// enter lets an attempt train: beside others, or alone. While another one trains alone, it waits. One that is to train
// alone makes the others step aside, and waits until they have left. The error wraps ErrAloneHere if that takes too
// long, and is the cause of ctx if that ends.
func (p *pass) enter(ctx context.Context, alone bool, wait patience) error {
	if err := p.takeTurn(ctx, alone, wait.turn); err != nil || !alone {
		return err
	}
	emptied := p.gate.clear()
	if emptied == nil {
		return nil
	}
	timer := time.NewTimer(wait.aside)
	defer timer.Stop()
	var err error
	select {
	case <-emptied:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = fmt.Errorf("%w; those in training have not stepped aside within %v", ErrAloneHere, wait.aside)
	}
	p.leave()
	return err
}

// takeTurn waits until no other attempt trains alone.
func (p *pass) takeTurn(ctx context.Context, alone bool, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		freed, ok := p.request(alone)
		if ok {
			return nil
		}
		var err error
		select {
		case <-freed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-timer.C:
			err = ErrAloneHere
		}
		p.gate.waited(alone)
		if err != nil {
			return err
		}
	}
}

// request is takeTurn without the wait: if it is not ok, freed is closed when it is to be tried again. Then waited is
// called first.
func (p *pass) request(alone bool) (freed chan struct{}, ok bool) {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.alone != nil || !alone && g.suspects > 0:
		if alone {
			g.suspects++
		}
		if g.freed == nil {
			g.freed = make(chan struct{})
		}
		return g.freed, false
	case alone:
		g.alone = p
	default:
		g.letIn(p)
	}
	return nil, true
}

// waited notes that an attempt does not wait for its turn any more.
func (g *trainingGate) waited(alone bool) {
	if !alone {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.suspects--
	if g.suspects == 0 {
		g.free()
	}
}

// clear tells all that are inside to step aside. emptied is closed when they have left; nil if nobody is inside.
func (g *trainingGate) clear() (emptied chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.inside) == 0 {
		return nil
	}
	for other := range g.inside {
		if !other.kept {
			other.end(ErrSteppedAside)
		}
	}
	g.emptied = make(chan struct{})
	return g.emptied
}

// letIn and free are called with mu held.
func (g *trainingGate) letIn(p *pass) {
	if g.inside == nil {
		g.inside = map[*pass]bool{}
	}
	g.inside[p] = true
}

func (g *trainingGate) free() {
	if g.freed != nil {
		close(g.freed)
		g.freed = nil
	}
}

// share lets others train beside an attempt that trained alone: it is not suspected any more. It may be called more
// than once, and by any goroutine.
func (p *pass) share() {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.alone == p {
		g.alone = nil
		g.letIn(p)
		g.free()
	}
}

// keep notes that an attempt has trained to its end, and saves that. It is not told to step aside any more, which would
// give it a deadline: others wait until it has left.
func (p *pass) keep() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.kept = true
}

// leave ends an attempt's training. It may be called more than once.
func (p *pass) leave() {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.alone == p {
		g.alone, g.emptied = nil, nil
		g.free()
	}
	delete(g.inside, p)
	if len(g.inside) == 0 && g.emptied != nil {
		close(g.emptied)
		g.emptied = nil
	}
}

// close is leave at the end of an attempt: it also frees its context.
func (p *pass) close() {
	p.leave()
	p.done()
	p.end(nil)
}

// enter lets an attempt at a stage, or at an evaluation, train in this process: beside others, or alone if earlier
// attempts at it died. k has looked at its folder; doing is what died, "training" or "evaluation". The error wraps
// ErrDied if too many did, and ErrAloneHere if the attempt cannot train here now.
func (a *Activities) enter(
	ctx context.Context, p *pass, k *claiming, doing string, progress *progress,
) error {
	suspected, err := a.judge(ctx, k, doing)
	if err != nil {
		return err
	}
	progress.doing("waiting while another stage trains alone here")
	if suspected {
		progress.doing("waiting until it can train alone here: an attempt at it died")
	}
	k.suspected = suspected
	k.holder.Alone = k.holder.Alone || suspected
	defer watchOf(ctx).wait()()
	return p.enter(ctx, suspected, a.wait)
}
