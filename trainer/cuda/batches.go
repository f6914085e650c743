//go:build cuda

package cuda

import (
	"context"
	"fmt"
	"iter"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// Steps implements trainer.Model. Where the GPU holds the data set, the host reads only the
// numbers of the rows of the next batch ahead. Otherwise it reads the rows of the next batches
// into pinned memory as they are stored, and uploads one batch while the GPU trains on the one
// before it. The GPU widens and scales the numbers in either way.
func (m *model) Steps(ctx context.Context, to int64) iter.Seq2[trainer.Stats, error] {
	return func(yieldTo func(trainer.Stats, error) bool) {
		yield := func(st trainer.Stats, err error) bool { return yieldTo(st, m.b.fault("", err)) }
		if m.resident != nil {
			ahead := trainer.ReadAhead[[]int64]{
				Buffers: [][]int64{make([]int64, m.z.b), make([]int64, m.z.b)}, Read: m.readRowNumbers, Train: m.trainRows,
			}
			ahead.Steps(ctx, m.step, to)(yield)
			return
		}
		if err := m.prepareUploads(); err != nil {
			yield(trainer.Stats{}, err)
			return
		}
		ahead := trainer.ReadAhead[[]byte]{
			Buffers: m.uploads.buffers, Read: m.readBatch, Upcoming: m.uploadAhead, Train: m.trainBatch,
		}
		ahead.Steps(ctx, m.step, to)(yield)
	}
}

func (m *model) readRowNumbers(step int64, rows []int64) error {
	return m.data.Dataset().BatchRows(m.c.Seed, step, rows)
}

// trainRows takes a step on the batch of those B rows of the data set, which the GPU holds.
func (m *model) trainRows(rows []int64) (trainer.Stats, error) {
	for _, r := range rows {
		if r < 0 || r >= m.resident.n {
			return trainer.Stats{}, fmt.Errorf("the batch has row %d of a data set of %d", r, m.resident.n)
		}
	}
	return m.train(func(s *driver.Stream) (driver.Ptr, error) {
		copy(m.rowNumbers, rows)
		if err := s.Upload(m.rows, driver.Bytes(m.rowNumbers)); err != nil {
			return 0, err
		}
		m.gather(m.resident.memory, m.rows, m.batches[0])
		return m.batches[0], nil
	})
}

// gather sets the batch out_BD to stored rows, those of these numbers, or the first B where rows
// is 0.
func (m *model) gather(data, rows, out driver.Ptr) {
	types := [...]int{trainer.F32: kernels.StoredF32, trainer.F16: kernels.StoredF16, trainer.BF16: kernels.StoredBF16}
	m.q.GatherBatch(kernels.GatherBatch{
		Data: data, Type: types[m.format.Type], Scale: m.format.Scale, Rows: rows, N: m.z.b, D: m.z.d, Out: out,
	})
}

// readBatch reads a batch to x, one of the buffers of uploads. What is no data set is read as
// float32, by one goroutine.
func (m *model) readBatch(step int64, x []byte) error {
	if m.data == nil {
		return trainer.ErrNoData
	}
	set := m.data.Dataset()
	if set == nil {
		return m.data.Batch(m.c.Seed, step, driver.View[float32](x))
	}
	if err := set.BatchRows(m.c.Seed, step, m.rowNumbers); err != nil {
		return err
	}
	return trainer.ReadRows(set, m.rowNumbers, x)
}

// trainBatch takes a step on a batch, which is one of the buffers of uploads.
func (m *model) trainBatch(x []byte) (trainer.Stats, error) {
	return m.train(func(s *driver.Stream) (driver.Ptr, error) {
		stored, err := m.uploads.take(x, s)
		if err != nil || m.format == plainFloat32() {
			return stored, err
		}
		out := m.batches[0]
		if m.format.Type == trainer.F32 {
			out = stored
		}
		m.gather(stored, 0, out)
		return out, nil
	})
}

// uploadSlots returns the memory of uploads in that of two batches in float32. Numbers of 16 bits
// are widened to the first of these, and both slots lie in the second:
//
//	float32   slot 0                | slot 1
//	16 bits   the batch in float32  | slot 0 | slot 1
func (m *model) uploadSlots() [2]driver.Ptr {
	if m.format.Type == trainer.F32 {
		return m.batches
	}
	second := m.batches[1]
	return [2]driver.Ptr{second, second.Add(16 * int64(over(m.batchBytes(), 16)))}
}

// batchBytes is the size of a batch as it is stored.
func (m *model) batchBytes() int { return m.z.b * m.z.d * m.format.Type.Bytes() }

// formatOf returns how the GPU gets the numbers of data, which may be nil.
func formatOf(data trainer.Batches) trainer.Format {
	if data != nil && data.Dataset() != nil {
		return data.Dataset().Format()
	}
	return plainFloat32()
}

// plainFloat32 is the format of numbers that stand for themselves.
func plainFloat32() trainer.Format { return trainer.Format{Type: trainer.F32, Scale: 1} }

// uploadAhead starts to upload the batch of the next step.
func (m *model) uploadAhead(x []byte) error {
	leave, err := m.b.enter()
	if err != nil {
		return fmt.Errorf("upload the next batch: %w", err)
	}
	defer leave()
	if _, err := m.uploads.start(x); err != nil {
		return fmt.Errorf("upload the next batch: %w", err)
	}
	return nil
}

// prepareUploads allocates the pinned memory for batches, unless it has, and drops batches
// that an earlier loop over steps uploaded and did not train on.
func (m *model) prepareUploads() error {
	leave, err := m.b.enter()
	if err != nil {
		return fmt.Errorf("memory for batches: %w", err)
	}
	defer leave()
	if err := m.uploads.prepare(m.b.dev); err != nil {
		return fmt.Errorf("memory for batches: %w", err)
	}
	return nil
}
