package activities

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Counts are what the attempts of a worker have come to since it was made.
type Counts struct {
	Steps, Tokens  int64 // trained, also those that a later attempt trains again
	Saves          int64 // checkpoints that were stored
	SaveTime       time.Duration
	SaveBytes      int64
	Faults         map[Fault]int64 // errors that ended attempts
	Attempts, Lost int64           // attempts that began; those of them that hang
}

// A Fault is an error that ended an attempt.
type Fault struct {
	Of   string // cell, worker, nobody or unknown: whose fault it is
	Type string // its type, as Temporal shows it: OutOfMemory
}

func (f fault) String() string { return [...]string{"cell", "worker", "nobody", "unknown"}[f] }

// counters are the counts while they change.
type counters struct {
	steps, tokens, saves, saveTime, saveBytes, attempts atomic.Int64

	mu     sync.Mutex
	faults map[Fault]int64
}

// failed counts the error of an attempt.
func (c *counters) failed(of fault, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults == nil {
		c.faults = map[Fault]int64{}
	}
	c.faults[Fault{of.String(), name}]++
}

// saved counts a checkpoint.
func (c *counters) saved(took time.Duration, bytes int64) {
	c.saves.Add(1)
	c.saveTime.Add(int64(took))
	c.saveBytes.Add(bytes)
}

// Counts returns what the attempts have come to.
func (a *Activities) Counts() Counts {
	c := &a.counters
	out := Counts{
		Steps: c.steps.Load(), Tokens: c.tokens.Load(),
		Saves: c.saves.Load(), SaveTime: time.Duration(c.saveTime.Load()), SaveBytes: c.saveBytes.Load(),
		Attempts: c.attempts.Load(),
	}
	c.mu.Lock()
	out.Faults = maps.Clone(c.faults)
	c.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	out.Lost = int64(a.lost)
	return out
}
