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
// into pinned memory, and uploads one batch while the GPU trains on the one before it.
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
		ahead := trainer.ReadAhead[[]float32]{
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
		x := m.batches[0]
		m.q.GatherBatch(kernels.GatherBatch{Data: m.resident.memory, Rows: m.rows, N: m.z.b, D: m.z.d, Out: x})
		return x, nil
	})
}

func (m *model) readBatch(step int64, x []float32) error {
	if m.data == nil {
		return trainer.ErrNoData
	}
	return m.data.Batch(m.c.Seed, step, x)
}

// trainBatch takes a step on the batch x_BD, which is one of the buffers of uploads.
func (m *model) trainBatch(x []float32) (trainer.Stats, error) {
	return m.train(func(s *driver.Stream) (driver.Ptr, error) { return m.uploads.take(x, s) })
}

// uploadAhead starts to upload the batch of the next step.
func (m *model) uploadAhead(x []float32) error {
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
