//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/driver"

// uploads copy batches to the GPU as they are stored, on another stream than the model's. The GPU
// has two slots for batches: it trains on the batch in one slot while the next batch arrives in the
// other.
//
//	step 7: slot 0 is trained on     slot 1 receives batch 8
//	step 8: slot 0 receives batch 9  slot 1 is trained on
type uploads struct {
	stream  *driver.Stream
	slots   [2]slot
	buffers [][]byte // pinned, [B,D] stored numbers each: what is uploaded lies in one of them
}

// uploadBuffers is the number of buffers: one for the batch that is trained on, one for the
// batch that is uploaded, and one for the batch that is read.
const uploadBuffers = 3

type slot struct {
	memory  driver.Ptr // [B,D] stored numbers
	arrived *driver.Event
	waiting *byte // address of the buffer whose batch waits here for its step; nil: none does
}

// open makes the stream and the slots. It gets one buffer, which lies in the model's pinned
// memory.
func (u *uploads) open(dev *driver.Device, memory [2]driver.Ptr, buffer []byte) (err error) {
	u.buffers = [][]byte{buffer}
	if u.stream, err = dev.Stream(); err != nil {
		return err
	}
	for i := range u.slots {
		u.slots[i].memory = memory[i]
		if u.slots[i].arrived, err = dev.Event(); err != nil {
			return err
		}
	}
	return nil
}

// prepare allocates the buffers that are missing, and empties the slots.
func (u *uploads) prepare(dev *driver.Device) error {
	for len(u.buffers) < uploadBuffers {
		p, err := dev.Pinned(int64(len(u.buffers[0])))
		if err != nil {
			return err
		}
		u.buffers = append(u.buffers, p)
	}
	for i := range u.slots {
		u.slots[i].waiting = nil
	}
	return u.stream.Synchronize() // the caller writes to the buffers next
}

// start starts to upload x, one of the buffers, to a slot where no batch waits. The GPU has
// finished with the batch that was there, since the host waits for each step.
func (u *uploads) start(x []byte) (*slot, error) {
	s := &u.slots[0]
	if s.waiting != nil {
		s = &u.slots[1]
	}
	if err := u.stream.Upload(s.memory, x); err != nil {
		return nil, err
	}
	s.waiting = &x[0]
	return s, s.arrived.Record(u.stream)
}

// take makes a stream wait until x, one of the buffers, has arrived, and returns its address
// on the GPU. It uploads x where start has not.
func (u *uploads) take(x []byte, on *driver.Stream) (driver.Ptr, error) {
	var s *slot
	for i := range u.slots {
		if u.slots[i].waiting == &x[0] {
			s = &u.slots[i]
		}
	}
	if s == nil {
		var err error
		if s, err = u.start(x); err != nil {
			return 0, err
		}
	}
	s.waiting = nil
	return s.memory, on.Wait(s.arrived)
}

// close frees what open and prepare have allocated.
func (u *uploads) close(dev *driver.Device) (errs []error) {
	if u.stream != nil {
		errs = append(errs, u.stream.Synchronize(), u.stream.Close())
	}
	for _, s := range u.slots {
		if s.arrived != nil {
			errs = append(errs, s.arrived.Close())
		}
	}
	for _, p := range u.buffers[min(1, len(u.buffers)):] { // the model frees the first
		errs = append(errs, dev.FreePinned(p))
	}
	return errs
}
