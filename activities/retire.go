package activities

import (
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
)

// mostRefusals is how many activities a worker may refuse in a row. Then it takes no more: it would only hold up what
// another worker can do.
const mostRefusals = 3

// unfitness is why a worker takes no more work, and what leads to that.
type unfitness struct {
	mu    sync.Mutex
	count map[string]int       // refusals in a row, by queue
	all   map[string]time.Time // since when every live worker has refused an activity, by activity
	why   error
	is    chan struct{} // closed when why is set
}

func newUnfitness() *unfitness {
	return &unfitness{count: map[string]int{}, all: map[string]time.Time{}, is: make(chan struct{})}
}

// Unfit is closed when the worker is to take no more work. What it trains may go on to a checkpoint.
func (a *Activities) Unfit() <-chan struct{} { return a.refused.is }

// Closed is closed when Close is called.
func (a *Activities) Closed() <-chan struct{} { return a.ctx.Done() }

// WhyUnfit says why the worker takes no more work; nil while it does.
func (a *Activities) WhyUnfit() error {
	a.refused.mu.Lock()
	defer a.refused.mu.Unlock()
	return a.refused.why
}

// TakeNoMore says that the worker is to take no more work, and why. The first reason counts.
func (a *Activities) TakeNoMore(why error) {
	a.refused.mu.Lock()
	defer a.refused.mu.Unlock()
	if a.refused.why != nil {
		return
	}
	// Not %w: what is wrong here is not wrong input of whoever started the worker.
	a.refused.why = fmt.Errorf("this worker takes no more work: %v", why)
	a.log.Error("this worker takes no more work", "error", why)
	close(a.refused.is)
}

// add counts a refusal of an activity of a queue, and returns how many there were in a row.
func (u *unfitness) add(queue string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count[queue]++
	return u.count[queue]
}

// reset notes that the worker could do an activity of a queue.
func (u *unfitness) reset(queue string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.count, queue)
}

// forgetAfter is the time after which nobody asks for an activity any more that was to be tried again.
const forgetAfter = time.Hour

// since returns for how long every live worker has refused an activity, as far as this process has seen it, by its own
// clock. all says whether that is so now.
func (u *unfitness) since(info activity.Info, all bool, now time.Time) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	id := info.WorkflowExecution.ID + "/" + info.WorkflowExecution.RunID + "/" + info.ActivityID
	if !all {
		delete(u.all, id)
		return 0
	}
	began, known := u.all[id]
	if known {
		return now.Sub(began)
	}
	for other, began := range u.all {
		if now.Sub(began) > forgetAfter {
			delete(u.all, other)
		}
	}
	u.all[id] = now
	return 0
}
