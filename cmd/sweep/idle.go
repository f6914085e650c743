package main

import (
	"sync"
	"time"
)

// An idleClock knows when a worker has had nothing to train for a while. Slots call began and ended from many
// goroutines.
type idleClock struct {
	limit time.Duration
	idle  chan struct{} // closed when it was idle for limit

	mu    sync.Mutex
	busy  int       // attempts that a slot has
	fired bool      // idle is closed
	since time.Time // when busy became 0
	timer *time.Timer
}

// newIdleClock returns a clock that begins at once. With a limit of 0 it never ends; nil for that is a clock too.
func newIdleClock(limit time.Duration) *idleClock {
	if limit == 0 {
		return nil
	}
	c := &idleClock{limit: limit, idle: make(chan struct{}), since: time.Now()}
	c.timer = time.AfterFunc(limit, c.check)
	return c
}

// check ends the clock, unless an attempt has begun while the timer fired.
func (c *idleClock) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == 0 && !c.fired && time.Since(c.since) >= c.limit {
		c.fired = true
		close(c.idle)
	}
}

// began notes an attempt.
func (c *idleClock) began() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy++
	c.timer.Stop()
}

// ended notes the end of an attempt.
func (c *idleClock) ended() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy--; c.busy == 0 {
		c.since = time.Now()
		c.timer.Reset(c.limit)
	}
}

// ends is closed when the worker was idle for the limit; nil without one.
func (c *idleClock) ends() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.idle
}
