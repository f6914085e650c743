package hostmem

import (
	"math"
	"runtime/debug"
)

// Go's garbage collector lets the heap grow to twice of what is in use before it collects: the weights of a run that is
// done would lie beside those of the next one. So the pool gives the collector a limit that follows the reservations,
// and frees what a large run leaves before its memory counts as free. The weights hold no pointers, so that a
// collection takes a few milliseconds whatever their size.

const (
	// slack is what the process may have beside the reservations and one in slackShare of them before the collector
	// works harder: code, buffers, groups of rows that are evaluated, garbage.
	slack      = 160 << 20
	slackShare = 16

	// largeRun is from which size on what a run leaves is freed at once. The limit is enough for smaller ones, and a
	// sweep may have thousands of them.
	largeRun = 32 << 20
)

// Limit keeps the memory of the process near the reservations from now on. beside is what it needs for other things,
// such as a server in the same process. Only one pool of a process may do so.
func (p *Pool) Limit(beside int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limited, p.beside = true, beside
	p.setLimit()
}

// setLimit gives the collector the limit for what is reserved. p.mu is held.
func (p *Pool) setLimit() {
	if !p.limited {
		return
	}
	limit := p.reserved + p.reserved/slackShare + slack + p.beside
	if limit < 0 { // more than there is
		limit = math.MaxInt64
	}
	debug.SetMemoryLimit(limit)
}

// freed returns what a run of some size has left to the system. Whoever reserves next waits for it: it holds p.mu.
func (p *Pool) freed(bytes int64) {
	if p.limited && bytes >= largeRun {
		debug.FreeOSMemory()
	}
}
