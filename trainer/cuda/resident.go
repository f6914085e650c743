//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// residentRows are the rows of a data set in the memory of a GPU. They stay there when the
// last model that trains on them is closed, for the next run of the sweep, until their memory
// is needed.
type residentRows struct {
	n      int64
	memory driver.Ptr // [n,D] as they are stored
	bytes  int64
	users  int           // models that train on them, or wait for them
	ready  chan struct{} // closed when they have been read, or could not be
	err    error         // why they could not be
}

// residents are all resident rows of one GPU. Those of a data set are there once, however many
// models train on them.
type residents struct {
	mu   sync.Mutex
	rows map[string]*residentRows // by the data set's identity
	idle atomic.Int64             // bytes of those without users
}

// Resident rows may take 1/residentShare of the memory that a model leaves free. So there is
// room for more models.
const residentShare = 2

// makeResident sets m.resident to the rows of the data set. It leaves it nil where there is no
// room for them, and where they would have to be read first for a run that trains on fewer rows
// than there are.
func (b *backend) makeResident(m *model, data trainer.Dataset) error {
	if tokens := (int64(m.c.Steps) - m.step) * int64(m.c.BatchSize); tokens < data.Rows() && !b.residents.has(data) {
		return nil
	}
	leave, err := b.enter()
	if err != nil {
		return err
	}
	defer leave()
	r, err := b.residents.get(b.dev, data)
	if driver.IsOutOfMemory(err) { // the memory was taken in the meantime
		return nil
	}
	m.resident = r
	return err
}

// has reports whether the rows of the data set are on the GPU, or on their way.
func (rs *residents) has(data trainer.Dataset) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.rows[data.Identity()] != nil
}

// any reports whether rows of any data set are on the GPU.
func (rs *residents) any() bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.rows) > 0
}

// get returns the rows of the data set, and copies them to the GPU if they are not there. It
// returns nil where there is no room for them. The caller gives them back to release. Calls for
// the same data wait until they have been read; others do not.
func (rs *residents) get(dev *driver.Device, data trainer.Dataset) (*residentRows, error) {
	r, here, err := rs.find(dev, data)
	if r == nil || err != nil {
		return nil, err
	}
	if here {
		<-r.ready
		if r.err != nil {
			return nil, r.err
		}
		return r, nil
	}
	defer close(r.ready)
	if r.err = r.read(dev, data); r.err != nil {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		delete(rs.rows, data.Identity())
		return nil, firstBroken([]error{r.err, dev.Free(r.memory)})
	}
	return r, nil
}

// find returns the rows of the data set. If they are not here, it allocates memory for them, which the caller fills.
func (rs *residents) find(dev *driver.Device, data trainer.Dataset) (r *residentRows, here bool, err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.rows[data.Identity()]; r != nil {
		if r.users == 0 {
			rs.idle.Add(-r.bytes)
		}
		r.users++
		return r, true, nil
	}
	row := rowBytes(data)
	free, _, err := dev.Memory()
	if err == nil && data.Rows() > free/residentShare/row {
		free, err = rs.evict(dev)
	}
	if err != nil || data.Rows() > free/residentShare/row {
		return nil, false, err
	}
	r = &residentRows{n: data.Rows(), bytes: row * data.Rows(), users: 1, ready: make(chan struct{})}
	if r.memory, err = dev.Alloc(r.bytes); err != nil {
		return nil, false, err
	}
	rs.rows[data.Identity()] = r
	return r, false, nil
}

// rowBytes is the size of a row of data as it is stored.
func rowBytes(data trainer.Dataset) int64 {
	return int64(data.Format().Type.Bytes()) * int64(data.Dim())
}

// read copies all rows to the GPU, a part at a time: while one part is read into pinned memory, the
// GPU copies the part before it.
func (r *residentRows) read(dev *driver.Device, data trainer.Dataset) (err error) {
	size := rowBytes(data)
	most := min(max(1, partBytes/size), r.n)
	s, err := dev.Stream()
	if err != nil {
		return err
	}
	pinned, err := dev.Pinned(2 * most * size)
	defer func() {
		errs := []error{err, s.Synchronize(), dev.FreePinned(pinned), s.Close()}
		if err = firstBroken(errs); err != nil {
			err = fmt.Errorf("copy the data to %v: %w", dev.Info(), err)
		}
	}()
	rows := make([]int64, most)
	for row, half := int64(0), pinned; row < r.n && err == nil; row += most {
		rows := rows[:min(most, r.n-row)]
		for i := range rows {
			rows[i] = row + int64(i)
		}
		part := half[:int64(len(rows))*size]
		if err = trainer.ReadRows(data, rows, part); err == nil {
			err = s.Synchronize() // the other half is free then
		}
		if err == nil {
			err = s.Upload(r.memory.Add(row*size), part)
		}
		half = pinned[(row/most+1)%2*most*size:]
	}
	return err
}

// partBytes is the size of a part.
const partBytes = 16 << 20

// release says that a model no longer trains on rows of get.
func (rs *residents) release(r *residentRows) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.users--; r.users == 0 {
		rs.idle.Add(r.bytes)
	}
}

// makeRoom frees the rows that no model trains on. It returns how much memory is free then.
func (rs *residents) makeRoom(dev *driver.Device) (free int64, err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.evict(dev)
}

// evict is makeRoom for callers that hold the lock.
func (rs *residents) evict(dev *driver.Device) (free int64, err error) {
	var errs []error
	for id, r := range rs.rows {
		if r.users == 0 {
			delete(rs.rows, id)
			rs.idle.Add(-r.bytes)
			errs = append(errs, dev.Free(r.memory))
		}
	}
	free, _, err = dev.Memory()
	return free, errors.Join(append(errs, err)...)
}
