//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// datasets are the data sets on one GPU, each once however many models train on
// it.
type datasets struct {
	mu   sync.Mutex
	held map[string]*dataset // by fingerprint
}

// A dataset stays on the GPU when the last model that trains on it is closed, for
// the next run of the sweep, until its memory is needed.
type dataset struct {
	rows   int64
	memory driver.Ptr // [rows,D]
	users  int
}

// datasetShare is the part of the memory left beside a model that a data set may
// take, as 1/datasetShare, so that there is room for more models.
const datasetShare = 2

// hold lets a model train on a data set that the GPU holds, where that can be: it
// fits, and the run visits as many rows as it has, or it is there already. A
// shorter run does not wait until all rows have been read.
func (b *backend) hold(m *model, data trainer.Dataset) error {
	if tokens := (int64(m.c.Steps) - m.step) * int64(m.c.BatchSize); tokens < data.Rows() && !b.datasets.has(data) {
		return nil
	}
	leave, err := b.dev.Enter()
	if err != nil {
		return err
	}
	defer leave()
	m.dataset, err = b.datasets.get(b.dev, data)
	return err
}

// has reports whether the data set is on the GPU.
func (ds *datasets) has(data trainer.Dataset) bool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return ds.held[data.Fingerprint()] != nil
}

// get returns the data set, copied to the GPU if it is not there, or nil where
// there is no room for it. Other calls wait meanwhile.
func (ds *datasets) get(dev *driver.Device, data trainer.Dataset) (*dataset, error) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if held := ds.held[data.Fingerprint()]; held != nil {
		held.users++
		return held, nil
	}
	row := 4 * int64(data.Dim())
	free, _, err := dev.Memory()
	if err == nil && data.Rows() > free/datasetShare/row {
		free, err = ds.evict(dev)
	}
	if err != nil {
		return nil, err
	}
	if data.Rows() > free/datasetShare/row {
		return nil, nil
	}
	held := &dataset{rows: data.Rows(), users: 1}
	if held.memory, err = dev.Alloc(row * data.Rows()); err != nil {
		var oom *driver.OutOfMemory
		if errors.As(err, &oom) { // somebody else was faster
			return nil, nil
		}
		return nil, err
	}
	if err := held.read(dev, data); err != nil {
		return nil, errors.Join(err, dev.Free(held.memory))
	}
	ds.held[data.Fingerprint()] = held
	return held, nil
}

// read copies the data set to the GPU. Several goroutines read a part at a time.
func (held *dataset) read(dev *driver.Device, data trainer.Dataset) error {
	d := int64(data.Dim())
	most := max(1, partBytes/4/d)
	part := make([]float32, min(most, held.rows)*d)
	for row := int64(0); row < held.rows; row += most {
		part := part[:min(most, held.rows-row)*d]
		err := readRows(data, row, part, d)
		if err == nil {
			err = dev.Upload(held.memory.Add(4*row*d), driver.Bytes(part))
		}
		if err != nil {
			return fmt.Errorf("copy the data to %v: %w", dev.Info(), err)
		}
	}
	return nil
}

// partBytes is how much of a data set is in the host's memory at a time.
const partBytes = 64 << 20

func readRows(data trainer.Dataset, row int64, x []float32, d int64) error {
	n := int64(len(x)) / d
	readers := min(int64(runtime.GOMAXPROCS(0)), n)
	errs := make([]error, readers)
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			from, to := n*i/readers, n*(i+1)/readers
			errs[i] = data.ReadRows(row+from, x[from*d:to*d])
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// put gives a data set up that get returned.
func (ds *datasets) put(held *dataset) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	held.users--
}

// makeRoom frees the data sets that no model trains on and returns how much memory
// is free then.
func (ds *datasets) makeRoom(dev *driver.Device) (free int64, err error) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return ds.evict(dev)
}

// evict is makeRoom for callers that hold the lock.
func (ds *datasets) evict(dev *driver.Device) (free int64, err error) {
	var errs []error
	for id, held := range ds.held {
		if held.users == 0 {
			delete(ds.held, id)
			errs = append(errs, dev.Free(held.memory))
		}
	}
	free, _, err = dev.Memory()
	return free, errors.Join(append(errs, err)...)
}
