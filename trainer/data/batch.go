package data

import (
	"fmt"
	"math"
)

// Batch fills x_BD with the batch of a step: tokens step·B to (step+1)·B of the
// order that seed gives.
func (s *Set) Batch(seed, step int64, x []float32) error {
	n, err := s.count(x)
	if err != nil {
		return err
	}
	return s.Tokens(seed, step*n, x)
}

// Tokens fills x_nD with n training rows from a position on in the order that
// seed gives: position p is in epoch p / training rows, and every epoch visits
// every training row once, in an order of its own. Parts of a batch can so be
// read by several goroutines.
func (s *Set) Tokens(seed, position int64, x []float32) error {
	n, err := s.count(x)
	if err != nil {
		return err
	}
	if position < 0 || position > math.MaxInt64-n {
		return fmt.Errorf("read training rows: position %d", position)
	}
	buf := s.bufs.Get().(*[]byte)
	defer s.bufs.Put(buf)
	d := int64(s.info.Dim)
	return s.eachRow(seed, position, n, func(i, row int64) error {
		if err := s.src.read(row, x[i*d:(i+1)*d], s.scale, *buf); err != nil {
			return fmt.Errorf("read training rows: %w", err)
		}
		return nil
	})
}

// eachRow calls do with the rows at n positions of the order that seed gives.
func (s *Set) eachRow(seed, position, n int64, do func(i, row int64) error) error {
	for i := int64(0); i < n; {
		epoch, at := (position+i)/s.train, (position+i)%s.train
		train := s.order.epoch(seed, epoch)
		s.ahead.enter(s, seed, epoch, at, min(n-i, s.train-at))
		for ; i < n && at < s.train; i, at = i+1, at+1 {
			if err := do(i, s.trainRow(train.at(at))); err != nil {
				return err
			}
		}
	}
	return nil
}

// trainRow returns the i-th training row in the base order.
func (s *Set) trainRow(i int64) int64 { return s.order.base(s.first + i) }

// Eval fills x_nD with n held-out rows from row on.
func (s *Set) Eval(row int64, x []float32) error {
	if s.apart != nil {
		return s.apart.Eval(row, x)
	}
	n, err := s.count(x)
	if err != nil {
		return err
	}
	if row < 0 || row > s.info.EvalRows-n {
		return fmt.Errorf("read held-out rows: rows %d to %d of %d", row, row+n, s.info.EvalRows)
	}
	buf := s.bufs.Get().(*[]byte)
	defer s.bufs.Put(buf)
	d := int64(s.info.Dim)
	for i := range n {
		if err := s.src.read(s.order.base(row+i), x[i*d:(i+1)*d], s.scale, *buf); err != nil {
			return fmt.Errorf("read held-out rows: %w", err)
		}
	}
	return nil
}

func (s *Set) count(x []float32) (int64, error) {
	if len(x)%s.info.Dim != 0 {
		return 0, fmt.Errorf("read rows: %d numbers are no whole rows of %d", len(x), s.info.Dim)
	}
	return int64(len(x) / s.info.Dim), nil
}
