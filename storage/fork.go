package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pin makes step a fork: a checkpoint of it is where other stages begin, and
// stays until the whole stage goes. Pinning a step twice changes nothing.
//
// What holds is the order: pin first, then Save. A checkpoint of an earlier
// attempt that was there before its pin may already be on the list of somebody
// who prunes; saving the state again under this claim makes it safe. The error
// wraps ErrFenced if the stage has a newer claim.
func (l *Claim) Pin(ctx context.Context, step int64) error {
	c := l.c
	if step < 0 {
		return Wrap("pin stage", c.stage, fmt.Errorf("step %d", step))
	}
	if err := l.Check(ctx); err != nil {
		return err
	}
	body := fmt.Sprintf("{\"version\": 1, \"stage\": %q, \"step\": %d}\n", c.stage, step)
	err := PutNew(ctx, c.store, forkKey(c.stage, step), []byte(body))
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Pins lists the steps that are pinned, in ascending order, whether or not they
// have a checkpoint.
func (c *Checkpoints) Pins(ctx context.Context) ([]int64, error) {
	dir := stageDir(c.stage, "forks")
	objects, err := c.store.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	var steps []int64
	for _, o := range objects {
		if step, ok := parseFork(strings.TrimPrefix(o.Key, dir)); ok {
			steps = append(steps, step)
		} else {
			c.log.Warn("not a fork's name", "key", o.Key)
		}
	}
	slices.Sort(steps)
	return steps, nil
}
