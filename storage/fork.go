package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pin makes step a fork: other stages begin at a checkpoint of this step, so it
// stays until the whole folder is removed. Pinning a step twice changes nothing.
//
// An example. A trunk is trained to step 100, where two branches begin:
//
//	Pin 100      writes forks/000000000100.json
//	Save 100     writes the checkpoint
//	Prune, keep 0  removes every other checkpoint of the trunk, but not this one
//	             later, both branches find it with RestoreStep 100
//
// Pin first, then Save. A process that prunes lists the pins last: whatever
// checkpoint of step 100 it has seen, it sees the pin too. If an earlier attempt
// left a checkpoint there before the pin, a process that prunes may already be
// about to remove it; saving the state again under this claim makes it safe.
//
// The error wraps ErrFenced if there is a newer claim.
func (l *Claim) Pin(ctx context.Context, step int64) error {
	c := l.c
	if step < 0 {
		return Wrap("pin", folderPrefix(c.folder), fmt.Errorf("step %d", step))
	}
	if err := l.Check(ctx); err != nil {
		return err
	}
	body := fmt.Sprintf("{\"version\": 1, \"stage\": %q, \"step\": %d}\n", c.folder, step)
	err := PutNew(ctx, c.store, forkKey(c.folder, step), []byte(body))
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Pins lists the steps that are pinned, in ascending order, whether or not they
// have a checkpoint.
func (c *Checkpoints) Pins(ctx context.Context) ([]int64, error) {
	prefix := kindPrefix(c.folder, "forks")
	objects, err := c.store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var steps []int64
	for _, o := range objects {
		if step, ok := parseFork(strings.TrimPrefix(o.Key, prefix)); ok {
			steps = append(steps, step)
		} else {
			c.log.Warn("not a fork's name", "key", o.Key)
		}
	}
	slices.Sort(steps)
	return steps, nil
}
