package main

import (
	"context"
	"sync"

	"go.temporal.io/sdk/worker"
)

// slots are the training slots of a worker. One whose attempt hangs for ever is set aside: no other attempt may have
// it, since the hung one still uses its memory, and perhaps its device.
type slots struct {
	free chan struct{} // a token for each slot that nobody has
	max  int
	idle *idleClock // of the worker; nil for none

	mu    sync.Mutex
	left  int                         // slots that are not set aside
	aside int                         // slots that are set aside once the SDK gives them back
	used  map[*worker.SlotPermit]bool // an attempt is in them: the SDK also reserves one for each question for work
}

func newSlots(n int) *slots {
	s := &slots{free: make(chan struct{}, n), max: n, left: n, used: map[*worker.SlotPermit]bool{}}
	for range n {
		s.free <- struct{}{}
	}
	return s
}

// setAside keeps the slot of an attempt that hangs, and returns how many are left. The attempt has not returned yet.
func (s *slots) setAside() (left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside++
	s.left--
	return s.left
}

// count returns how many slots are not set aside, and in how many of those is an attempt.
func (s *slots) count() (left, busy int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left, len(s.used) - s.aside
}

// ReserveSlot implements worker.SlotSupplier.
func (s *slots) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	select {
	case <-s.free:
		return &worker.SlotPermit{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TryReserveSlot implements worker.SlotSupplier.
func (s *slots) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	select {
	case <-s.free:
		return &worker.SlotPermit{}
	default:
		return nil
	}
}

// MarkSlotUsed implements worker.SlotSupplier.
func (s *slots) MarkSlotUsed(info worker.SlotMarkUsedInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[info.Permit()] = true
	s.idle.began()
}

// ReleaseSlot implements worker.SlotSupplier. Which of the slots is kept back does not matter: as many are in use as
// attempts run or hang.
func (s *slots) ReleaseSlot(info worker.SlotReleaseInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[info.Permit()] {
		s.idle.ended()
	}
	delete(s.used, info.Permit())
	if s.aside > 0 {
		s.aside--
		return
	}
	s.free <- struct{}{}
}

// MaxSlots implements worker.SlotSupplier.
func (s *slots) MaxSlots() int { return s.max }

// tuner returns the slots as the SDK wants to have them: it asks for suppliers of every kind, also where a worker does
// nothing of the kind.
func (s *slots) tuner() (worker.WorkerTuner, error) {
	other, err := worker.NewFixedSizeSlotSupplier(2) // a workflow worker needs two
	if err != nil {
		return nil, err
	}
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier: other, ActivitySlotSupplier: s, LocalActivitySlotSupplier: other,
		NexusSlotSupplier: other, SessionActivitySlotSupplier: other,
	})
}
