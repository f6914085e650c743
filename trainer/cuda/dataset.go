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

// datasets are the data sets that one GPU holds. It holds each one once, however many models
// train on it.
type datasets struct {
	mu   sync.Mutex
	held map[string]*dataset // by fingerprint
}

// A dataset is the rows of a data set on the GPU. It stays there when the last model that
// trains on it is closed, for the next run of the sweep, until its memory is needed.
type dataset struct {
	rows   int64
	memory driver.Ptr // [rows,D]
	users  int        // models that train on it
}

// A data set may take 1/datasetShare of the memory that a model leaves free. So there is room
// for more models.
const datasetShare = 2

// hold sets m.dataset where the GPU can hold the data set. It does not where the data set is
// too large, and where it would have to be read first for a run that trains on fewer rows than
// the data set has.
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

// get returns the data set, and copies it to the GPU if it is not there. It returns nil where
// there is no room for it. Other calls wait until it is done.
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
		if errors.As(err, &oom) { // the memory was taken in the meantime
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

// read copies the data set to the GPU, a part at a time, which several goroutines read.
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

// partBytes is the size of a part.
const partBytes = 64 << 20

// readRows reads x_nD, the rows from row row on, on as many goroutines as there are cores.
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

// put says that a model no longer trains on a data set of get.
func (ds *datasets) put(held *dataset) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	held.users--
}

// makeRoom frees the data sets that no model trains on. It returns how much memory is free
// then.
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
