//go:build !noserver

package workflows

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/sweep/protocol"
)

// On a real server the owners of sweeps share the slots: of four sweeps, three of one owner, that of the other owner
// gets half of the starts and not a quarter.
func TestOwnersShare(t *testing.T) {
	const (
		slots  = 1
		window = 2*slots + 2 // stages of each sweep in flight
		counts = 40          // starts that are looked at
	)
	c := startServer(t)
	owners := map[string]string{"one": "ann", "two": "ann", "three": "ann", "four": "bob"}
	var mu sync.Mutex
	var starts []string // sweeps, in the order of the starts of their stages
	enough, finish := make(chan struct{}), make(chan struct{})
	f := newFake(2 * counts)
	f.look = func(in protocol.LookInput) (protocol.Live, error) {
		n := 0
		for _, owner := range owners {
			if owner == in.Owner {
				n++
			}
		}
		return protocol.Live{Slots: slots, OwnersSweeps: n}, nil
	}
	o := &ownersFake{fake: f, started: func(ctx context.Context, sweep string) error {
		mu.Lock()
		starts = append(starts, sweep)
		n := len(starts)
		mu.Unlock()
		if n == counts+1 { // the first one started before all sweeps had queued their stages
			close(enough)
			<-finish
		}
		// All sweeps must have stages in the queue when the slot is free again.
		return untilQueued(ctx, c, owners, window)
	}}
	for _, queue := range []string{protocol.Queue, protocol.TrainQueue("cpu")} {
		options := worker.Options{Identity: recordedIdentity, DisableWorkflowWorker: queue != protocol.Queue}
		if queue != protocol.Queue {
			options.MaxConcurrentActivityExecutionSize = slots
		}
		w := worker.New(c, queue, options)
		if queue == protocol.Queue {
			Register(w)
		}
		if queue == protocol.Queue {
			f.register(w) // all but the training: the worker of that queue has the other
		} else {
			o.registerInSlots(w)
		}
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Stop)
	}
	t.Cleanup(func() { close(finish) })
	for id, owner := range owners {
		in := f.input(2 * window)
		in.Sweep, in.Owner = id, owner
		startSweep(t, c, id, in)
	}
	<-enough
	mu.Lock()
	defer mu.Unlock()
	n := map[string]int{}
	for _, sweep := range starts[1:] {
		n[owners[sweep]]++
	}
	t.Logf("starts: %v", starts)
	if n["bob"] < counts*3/8 || n["bob"] > counts*5/8 {
		t.Errorf("of %d starts the owner of one sweep got %d, and the owner of three %d: want about half",
			counts, n["bob"], n["ann"])
	}
}

// An ownersFake tells which sweep trains.
type ownersFake struct {
	*fake
	started func(ctx context.Context, sweep string) error
}

func (f *ownersFake) registerInSlots(r activityRegistry) {
	r.RegisterActivityWithOptions(f.TrainStage, activity.RegisterOptions{Name: protocol.ActivityTrain})
	r.RegisterActivityWithOptions(f.Evaluate, activity.RegisterOptions{Name: protocol.ActivityEval})
}

// TrainStage ends when all sweeps have stages in the queue.
func (f *ownersFake) TrainStage(ctx context.Context, ref protocol.StageRef) (protocol.Trained, error) {
	if err := f.started(ctx, ref.Sweep); err != nil {
		return protocol.Trained{}, err
	}
	return protocol.Trained{Reached: ref.To}, nil
}

// untilQueued waits until each sweep has so many stages in flight, in training or evaluation: all but the one that asks
// wait in the queue.
func untilQueued(ctx context.Context, c client.Client, sweeps map[string]string, stages int) error {
	for _, id := range slices.Sorted(maps.Keys(sweeps)) {
		for {
			d, err := c.DescribeWorkflowExecution(ctx, id, "")
			if err != nil {
				return fmt.Errorf("describe %s: %w", id, err)
			}
			n := 0
			for _, a := range d.PendingActivities {
				if name := a.ActivityType.GetName(); name == protocol.ActivityTrain || name == protocol.ActivityEval {
					n++
				}
			}
			if n >= stages {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}
