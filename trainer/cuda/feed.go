//go:build cuda

package cuda

import (
	"fmt"
	"unsafe"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A feed brings batches to the GPU on a stream of its own, while the model's
// stream is at work. It has two places on the GPU, so that one batch is trained
// on while the next arrives.
type feed struct {
	stream  *driver.Stream
	place   [2]driver.Ptr
	arrived [2]*driver.Event
	holds   [2]*float32 // the staged batch that a place has, or nil
	buffers [][]byte    // pinned memory handed out
	own     []float32   // pinned: for batches that lie elsewhere
}

func (f *feed) open(dev *driver.Device, place [2]driver.Ptr, own []float32) (err error) {
	f.place, f.own = place, own
	if f.stream, err = dev.Stream(); err != nil {
		return err
	}
	for i := range f.arrived {
		if f.arrived[i], err = dev.Event(); err != nil {
			return err
		}
	}
	return nil
}

// copy begins to copy pinned x to a place that holds no staged batch. What was
// there has been trained on: a step is waited for.
func (f *feed) copy(x []float32) (int, error) {
	i := 0
	if f.holds[0] != nil {
		i = 1
	}
	if err := f.stream.Upload(f.place[i], driver.Bytes(x)); err != nil {
		return i, err
	}
	f.holds[i] = &x[0]
	return i, f.arrived[i].Record(f.stream)
}

// take puts the wait for batch x on a stream and returns its place.
func (f *feed) take(x []float32, s *driver.Stream) (driver.Ptr, error) {
	i := 0
	switch &x[0] {
	case f.holds[0]:
	case f.holds[1]:
		i = 1
	default:
		if !f.pinned(x) {
			copy(f.own, x)
			x = f.own
		}
		var err error
		if i, err = f.copy(x); err != nil {
			return 0, err
		}
	}
	f.holds[i] = nil
	return f.place[i], s.Wait(f.arrived[i])
}

func (f *feed) pinned(x []float32) bool {
	for _, b := range f.buffers {
		if unsafe.SliceData(driver.View[float32](b)) == &x[0] {
			return true
		}
	}
	return false
}

// forget takes back what no step was given.
func (f *feed) forget() error {
	f.holds = [2]*float32{}
	return f.stream.Synchronize()
}

// close gives back what open and the buffers took.
func (f *feed) close(dev *driver.Device) (errs []error) {
	if f.stream != nil {
		errs = append(errs, f.stream.Synchronize(), f.stream.Close())
	}
	for _, e := range f.arrived {
		if e != nil {
			errs = append(errs, e.Close())
		}
	}
	for _, b := range f.buffers {
		errs = append(errs, dev.FreePinned(b))
	}
	return errs
}

// Buffer implements trainer.Stager.
func (m *model) Buffer() ([]float32, error) {
	leave, err := m.b.dev.Enter()
	if err != nil {
		return nil, fmt.Errorf("batch memory: %w", err)
	}
	defer leave()
	p, err := m.b.dev.Pinned(4 * int64(m.z.b) * int64(m.z.d))
	if err != nil {
		return nil, fmt.Errorf("batch memory: %w", err)
	}
	m.feed.buffers = append(m.feed.buffers, p)
	return driver.View[float32](p), nil
}

// Stage implements trainer.Stager.
func (m *model) Stage(x []float32) error {
	leave, err := m.b.dev.Enter()
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	defer leave()
	switch {
	case len(x) == 0:
		err = m.feed.forget()
	case len(x) != m.z.b*m.z.d || !m.feed.pinned(x):
		err = fmt.Errorf("a batch of %d values is none of the model's buffers", len(x))
	default:
		_, err = m.feed.copy(x)
	}
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	return nil
}
