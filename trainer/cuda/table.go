//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// tables are the tables on one GPU, each once however many models train on it.
type tables struct {
	mu   sync.Mutex
	held map[string]*table
}

// A table stays on the GPU when the last model that trains on it is closed, for
// the next run of the sweep, until its place is needed.
type table struct {
	id     string
	rows   int64
	memory driver.Ptr
	users  int
}

// tableShare is the part of the memory left beside a model that a table may
// take, so that there is room for more models.
const tableShare = 2

// A picker is a model whose table is on the GPU.
type picker struct {
	*model
	table *table
	picks []int64    // [B] pinned
	rows  driver.Ptr // [B] int64
}

// Hold implements trainer.Holder. A run that has fewer tokens to train on than
// the table has rows does not wait for all of them to be read, unless they are
// there already.
func (b *backend) Hold(c trainer.Config, s *trainer.State, t trainer.Table) (trainer.Model, error) {
	made, err := b.New(c, s)
	if err != nil {
		return nil, err
	}
	m := made.(*model)
	if tokens := (int64(c.Steps) - s.Step) * int64(c.BatchSize); tokens < t.Rows() && !b.tables.has(t) {
		return m, nil
	}
	p, err := b.pick(m, t)
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", errors.Join(err, m.Close()))
	}
	if p == nil {
		return m, nil
	}
	return p, nil
}

// pick makes a picker of a model, or nil where the table does not fit.
func (b *backend) pick(m *model, t trainer.Table) (*picker, error) {
	leave, err := b.dev.Enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	held, err := b.tables.get(b.dev, t)
	if held == nil || err != nil {
		return nil, err
	}
	p := &picker{model: m, table: held, rows: m.rows}
	p.picks = driver.View[int64](m.rowNumbers)
	return p, nil
}

// has reports whether the table is on the GPU.
func (ts *tables) has(t trainer.Table) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.held[t.TableID()] != nil
}

// get returns the table, brought to the GPU if it is not there, or nil where
// there is no room for it. Others that want a table wait.
func (ts *tables) get(dev *driver.Device, t trainer.Table) (*table, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if held := ts.held[t.TableID()]; held != nil {
		held.users++
		return held, nil
	}
	row := 4 * int64(t.Dim())
	free, _, err := dev.Memory()
	if err == nil && t.Rows() > free/tableShare/row {
		free, err = ts.evict(dev)
	}
	if err != nil {
		return nil, err
	}
	if t.Rows() > free/tableShare/row {
		return nil, nil
	}
	held := &table{id: t.TableID(), rows: t.Rows(), users: 1}
	if held.memory, err = dev.Alloc(row * t.Rows()); err != nil {
		var oom *driver.OutOfMemory
		if errors.As(err, &oom) { // somebody else was faster
			return nil, nil
		}
		return nil, err
	}
	if err := held.read(dev, t); err != nil {
		return nil, errors.Join(err, dev.Free(held.memory))
	}
	ts.held[held.id] = held
	return held, nil
}

// read copies the table to the GPU. Several goroutines read a part at a time.
func (h *table) read(dev *driver.Device, t trainer.Table) error {
	d := int64(t.Dim())
	most := max(1, partBytes/4/d)
	part := make([]float32, min(most, h.rows)*d)
	for row := int64(0); row < h.rows; row += most {
		part := part[:min(most, h.rows-row)*d]
		err := readRows(t, row, part, d)
		if err == nil {
			err = dev.Upload(h.memory.Add(4*row*d), driver.Bytes(part))
		}
		if err != nil {
			return fmt.Errorf("bring the data to %v: %w", dev.Info(), err)
		}
	}
	return nil
}

// partBytes is how much of a table is in the host's memory at a time.
const partBytes = 64 << 20

func readRows(t trainer.Table, row int64, x []float32, d int64) error {
	n := int64(len(x)) / d
	readers := min(int64(runtime.GOMAXPROCS(0)), n)
	errs := make([]error, readers)
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			from, to := n*i/readers, n*(i+1)/readers
			errs[i] = t.Read(row+from, x[from*d:to*d])
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// put gives a table up.
func (ts *tables) put(held *table) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	held.users--
}

// makeRoom frees the tables that no model trains on and returns what is free
// then.
func (ts *tables) makeRoom(dev *driver.Device) (free int64, err error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.evict(dev)
}

// evict is makeRoom where the tables are locked.
func (ts *tables) evict(dev *driver.Device) (free int64, err error) {
	var errs []error
	for id, held := range ts.held {
		if held.users == 0 {
			delete(ts.held, id)
			errs = append(errs, dev.Free(held.memory))
		}
	}
	free, _, err = dev.Memory()
	return free, errors.Join(append(errs, err)...)
}

// StepRows implements trainer.Picker.
func (p *picker) StepRows(rows []int64) (trainer.Stats, error) {
	m := p.model
	if len(rows) != m.z.b {
		return trainer.Stats{}, fmt.Errorf("step %d: the batch has %d rows, want %d", m.step, len(rows), m.z.b)
	}
	for _, r := range rows {
		if r < 0 || r >= p.table.rows {
			return trainer.Stats{}, fmt.Errorf("step %d: row %d of a table of %d", m.step, r, p.table.rows)
		}
	}
	return m.train(func(s *driver.Stream) (driver.Ptr, error) {
		copy(p.picks, rows)
		if err := s.Upload(p.rows, driver.Bytes(p.picks[:len(rows)])); err != nil {
			return 0, err
		}
		m.q.GatherBatch(kernels.GatherBatch{Data: p.table.memory, Rows: p.rows, N: m.z.b, D: m.z.d, Out: m.x[0]})
		return m.x[0], nil
	})
}

// Close implements trainer.Model.
func (p *picker) Close() error {
	defer p.model.b.tables.put(p.table)
	return p.model.Close()
}
