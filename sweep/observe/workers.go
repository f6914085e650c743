package observe

import (
	"context"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	taskqueue "go.temporal.io/api/taskqueue/v1"

	"github.com/topksweep/sweep/sweep/protocol"
)

// goneAfter is the time after which a worker that asked a queue for nothing has died, on a queue that it always asks: a
// question to the server lasts a minute at most, and then the next one begins.
const goneAfter = 100 * time.Second

// Workers lists the identities of the workers that live and may take the activities of a queue, ascending. A worker
// that is busy asks its training queue for nothing. But it asks protocol.Queue all the time, as the same worker: so
// whoever does that on the backend of the queue lives. A worker that has died is listed for goneAfter at most, and
// one that does not say its backend is listed for every queue. An error means that the server did not answer.
func (l Looker) Workers(ctx context.Context, queue string) ([]string, error) {
	always, err := l.Client.DescribeTaskQueue(ctx, protocol.Queue, enums.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return nil, err
	}
	if queue == protocol.Queue {
		return alive(always.GetPollers(), queue), nil
	}
	own, err := l.Client.DescribeTaskQueue(ctx, queue, enums.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return nil, err
	}
	return alive(slices.Concat(always.GetPollers(), own.GetPollers()), queue), nil
}

// alive returns the identities of the pollers that live and serve a queue. Times are the server's: those of the pollers
// are compared with each other.
func alive(pollers []*taskqueue.PollerInfo, queue string) []string {
	var newest time.Time
	for _, p := range pollers {
		if at := timeOf(p.GetLastAccessTime()); at.After(newest) {
			newest = at
		}
	}
	all := []string{}
	for _, p := range pollers {
		_, backend, _, known := ParseIdentity(p.GetIdentity())
		serves := queue == protocol.Queue || !known || protocol.TrainQueue(backend) == queue
		if serves && newest.Sub(timeOf(p.GetLastAccessTime())) < goneAfter {
			all = append(all, p.GetIdentity())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
