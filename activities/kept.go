package activities

import (
	"slices"
	"sync"
	"time"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/trainer"
)

const (
	keptFor   = 10 * time.Minute // for which a state is kept that nothing asks for
	keptShare = 4                // states that are kept have one part in so many of the host's memory
	mostKept  = 64               // states that are kept
)

// keptStates are the states that a worker has just saved as checkpoints: of forks, and of the last steps of runs. What
// begins there on the same worker, a stage or an evaluation, takes the state from memory. It reads the manifest in the
// store as ever, and the manifest decides: only the state whose bytes have its SHA-256 is taken. So claims, classes and
// the choice of the checkpoint are the same with and without, and another worker reads what is stored.
//
// What is kept has its part of the host's memory, and goes as soon as a run needs that.
type keptStates struct {
	memory *hostmem.Pool

	mu     sync.Mutex
	states []*keptState // the oldest first
}

// A keptState is one of them.
type keptState struct {
	of      checkpointID
	state   *trainer.State // nobody writes to it
	uses    int            // how often it may still be asked for
	size    int64          // bytes
	release func()         // of the host's memory
	late    *time.Timer    // drops it
	copying sync.WaitGroup // users that copy it
}

// A checkpointID says which checkpoint it is: where its data are, and what they hold.
type checkpointID struct {
	key, sha256 string
	size        int64
}

func idOf(m *storage.Manifest) checkpointID { return checkpointID{m.Key, m.SHA256, m.Size} }

// keep takes over the state that was saved as the checkpoint m, for as many as begin there. It drops older ones where
// there are too many, and does nothing if the host has no memory for it.
func (k *keptStates) keep(m *storage.Manifest, s *trainer.State, uses int) {
	size := m.Size
	for k.tooMany(size) {
		if !k.dropOldest() {
			return // it alone is too large
		}
	}
	release, err := k.memory.Reserve(size)
	if err != nil {
		return
	}
	kept := &keptState{of: idOf(m), state: s, uses: max(1, uses), size: size, release: release}
	k.mu.Lock()
	defer k.mu.Unlock()
	kept.late = time.AfterFunc(keptFor, func() { k.drop(kept) })
	k.states = append(k.states, kept)
}

// tooMany says that there is no room for another state of so many bytes within the share of those that are kept.
func (k *keptStates) tooMany(size int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.states {
		size += s.size
	}
	total, known := k.memory.Capacity()
	return len(k.states) >= mostKept || known && size > total/keptShare
}

// has says that the state of the checkpoint m is kept, and fits into.
func (k *keptStates) has(m *storage.Manifest, into *trainer.State) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(m, into) >= 0
}

// find returns the index of the state of the checkpoint m, or -1. k.mu is held.
func (k *keptStates) find(m *storage.Manifest, into *trainer.State) int {
	return slices.IndexFunc(k.states, func(s *keptState) bool { return s.of == idOf(m) && into.SameShape(s.state) })
}

// take gives the state of the checkpoint m to into, if it is kept: its last user gets its memory, the others a copy.
func (k *keptStates) take(m *storage.Manifest, into *trainer.State) bool {
	k.mu.Lock()
	i := k.find(m, into)
	if i < 0 {
		k.mu.Unlock()
		return false
	}
	kept := k.states[i]
	kept.uses--
	last := kept.uses == 0
	if last {
		k.states = slices.Delete(k.states, i, i+1)
	} else {
		kept.copying.Add(1)
	}
	k.mu.Unlock()
	if !last {
		into.CopyFrom(kept.state) // it stays as it is, also when it is dropped meanwhile
		kept.copying.Done()
		return true
	}
	kept.late.Stop()
	kept.copying.Wait() // whoever gets the memory writes to it
	*into = *kept.state
	kept.release()
	return true
}

// dropOldest drops one state. It returns false if there is none.
func (k *keptStates) dropOldest() bool {
	k.mu.Lock()
	if len(k.states) == 0 {
		k.mu.Unlock()
		return false
	}
	oldest := k.states[0]
	k.mu.Unlock()
	k.drop(oldest)
	return true
}

// drop drops a state, unless it is gone.
func (k *keptStates) drop(s *keptState) {
	k.mu.Lock()
	i := slices.Index(k.states, s)
	if i >= 0 {
		k.states = slices.Delete(k.states, i, i+1)
	}
	k.mu.Unlock()
	if i >= 0 {
		s.late.Stop()
		s.release()
	}
}
