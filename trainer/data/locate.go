package data

import (
	"fmt"

	"github.com/topksweep/sweep/trainer"
)

var _ trainer.Locator = (*Set)(nil)

// Locate names the shard that holds a row of Dataset, and the row's number there.
func (s *Set) Locate(row int64) string {
	if s.shards == nil || row < 0 || row >= s.src.rows() {
		return fmt.Sprintf("row %d of the data", row)
	}
	if k, ok := s.src.(*kept); ok {
		row = k.number(row)
	}
	in := s.shards.shardOf(row)
	return fmt.Sprintf("shard %s, row %d", in.name, row-in.first)
}

// LocateEval is Locate for a held-out row.
func (s *Set) LocateEval(row int64) string {
	if s.apart != nil {
		return s.apart.LocateEval(row)
	}
	if row < 0 || row >= s.info.EvalRows {
		return fmt.Sprintf("held-out row %d", row)
	}
	return s.Locate(s.order.base(row))
}
