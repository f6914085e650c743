package trainer

import (
	"context"
	"iter"
)

// A ReadAhead is how a backend trains on batches that are read while the ones
// before them are trained on. A batch is read into a buffer B, which is what
// the device needs of it: the rows, or their numbers in a data set.
//
// With two buffers, batch 8 is read while step 7 trains on batch 7. With three
// buffers and Upcoming there are three things at once:
//
//	step 7 trains on batch 7  |  Upcoming copies batch 8  |  Read reads batch 9
type ReadAhead[B any] struct {
	// Buffers are the memory of the batches: two, or three with Upcoming.
	Buffers []B

	// Read reads the batch of a step. It runs on a goroutine of its own.
	Read func(step int64, batch B) error

	// Upcoming, if not nil, may begin to bring the next batch to the device. It
	// is called before Train, if that batch has been read by then.
	Upcoming func(next B) error

	// Train trains on a batch, and is done with it when it returns.
	Train func(batch B) (Stats, error)
}

// Steps trains the steps from, from+1, … to-1 as Model.Steps does. When the loop
// over it has ended, no Read is running and none will begin.
func (r ReadAhead[B]) Steps(ctx context.Context, from, to int64) iter.Seq2[Stats, error] {
	return func(yield func(Stats, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		free := make(chan B, len(r.Buffers))
		for _, b := range r.Buffers {
			free <- b
		}
		batches := r.read(ctx, from, to, free)
		defer func() {
			stop()
			for range batches { // it is closed when the last Read has returned
			}
		}()
		var next *readBatch[B] // taken from batches for Upcoming
		for range to - from {
			now := next
			if next = nil; now == nil {
				select {
				case b := <-batches: // it is only closed early where ctx is done
					now = &b
				case <-ctx.Done():
				}
			}
			if ctx.Err() != nil {
				yield(Stats{}, context.Cause(ctx))
				return
			}
			var stats Stats
			err := now.err
			if err == nil {
				next, err = r.upcoming(batches)
			}
			if err == nil {
				stats, err = r.Train(now.buffer)
				free <- now.buffer
			}
			if !yield(stats, err) || err != nil {
				return
			}
		}
	}
}

// A readBatch is a batch that has been read, or the error in reading it.
type readBatch[B any] struct {
	buffer B
	err    error
}

// read reads the batches in order, each into the next buffer that is free. The
// last one is that of step to-1, or the first with an error.
func (r ReadAhead[B]) read(ctx context.Context, from, to int64, free <-chan B) <-chan readBatch[B] {
	out := make(chan readBatch[B], len(r.Buffers))
	go func() {
		defer close(out)
		for step := from; step < to; step++ {
			var b readBatch[B]
			select {
			case b.buffer = <-free:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				return
			}
			b.err = r.Read(step, b.buffer)
			out <- b // there is room for all buffers
			if b.err != nil {
				return
			}
		}
	}()
	return out
}

// upcoming takes the next batch, if it has been read, and gives it to Upcoming.
func (r ReadAhead[B]) upcoming(batches <-chan readBatch[B]) (*readBatch[B], error) {
	if r.Upcoming == nil {
		return nil, nil
	}
	select {
	case next, ok := <-batches:
		switch {
		case !ok:
			return nil, nil
		case next.err != nil: // it is the next step's
			return &next, nil
		}
		return &next, r.Upcoming(next.buffer)
	default:
		return nil, nil
	}
}
