package main

import (
	"errors"
	"fmt"
	"sync"
)

// errNoSlots says that every slot of this process is set aside.
var errNoSlots = errors.New("no slot is left: an attempt hangs in each")

// hung knows the attempts of a process that hang: they did not end when they were told to, and may never end.
// Activities call lost from many goroutines.
type hung struct {
	slots *slots
	first chan error // gets the error of the first attempt that hangs

	mu    sync.Mutex
	none  error    // once no slot is left
	lines []string // for people, that nobody has taken
}

func newHung(s *slots) *hung {
	return &hung{slots: s, first: make(chan error, 1)}
}

// lost notes an attempt that hangs. inSlot says that it has a training slot.
func (h *hung) lost(why error, inSlot bool) {
	tell(h.first, why)
	line := why.Error()
	h.mu.Lock()
	defer h.mu.Unlock()
	if inSlot {
		left := h.slots.setAside()
		if left == 0 {
			h.none = fmt.Errorf("%w: %w", errNoSlots, why)
		}
		line = fmt.Sprintf("a slot is set aside, %d left: %v", left, why)
	}
	h.lines = append(h.lines, line)
}

// tell sends an error, unless one is waiting there.
func tell(to chan error, err error) {
	select {
	case to <- err:
	default:
	}
}

// say gives the lines that nobody has said yet to a function. It may be called on nil.
func (h *hung) say(say func(line string)) {
	if h == nil {
		return
	}
	h.mu.Lock()
	lines := h.lines
	h.lines = nil
	h.mu.Unlock()
	for _, line := range lines {
		say(line)
	}
}

// noneLeft returns an error that wraps errNoSlots once no slot is left. It may be called on nil.
func (h *hung) noneLeft() error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.none
}
