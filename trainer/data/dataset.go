package data

import (
	"fmt"
	"math"

	"github.com/topksweep/sweep/trainer"
)

var (
	_ trainer.Batches = (*Set)(nil)
	_ trainer.Dataset = (*Set)(nil)
	_ trainer.HeldOut = (*Set)(nil)
)

// Dataset returns all rows of the set, held-out ones included.
func (s *Set) Dataset() trainer.Dataset { return s }

// Identity is the fingerprint, which of the Sets of that fingerprint this is, and its
// Generation. The fingerprint alone would also name a copy of rows that were other ones
// while they were copied, and are put back.
func (s *Set) Identity() string {
	return fmt.Sprintf("%s %s %d", s.info.Fingerprint, s.opened, s.Generation())
}

// Rows returns the number of rows, held-out ones included.
func (s *Set) Rows() int64 { return s.src.rows() }

// BatchRows fills rows with the numbers of the rows that Batch gives.
func (s *Set) BatchRows(seed, step int64, rows []int64) error {
	n := int64(len(rows))
	if step < 0 || n > 0 && step > math.MaxInt64/n-1 {
		return fmt.Errorf("choose training rows: step %d", step)
	}
	s.eachRow(seed, step*n, n, func(i, row int64) error { rows[i] = row; return nil })
	return nil
}
