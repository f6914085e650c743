package trainer

import (
	"runtime"
	"sync"
)

// partBytes is the least that ReadRows gives to a goroutine: far more than it costs to start one.
const partBytes = 256 << 10

// ReadRows is data.ReadStored on as many goroutines as there are cores, each with a part of the rows; on fewer where
// the rows are few. It returns when all have ended. The error is that of the first part that has one.
func ReadRows(data Dataset, rows []int64, x []byte) error {
	n := len(rows)
	if n == 0 {
		return nil
	}
	size := len(x) / n
	parts := max(1, min(runtime.GOMAXPROCS(0), n, len(x)/partBytes))
	errs := make([]error, parts)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			from, to := n*i/parts, n*(i+1)/parts
			errs[i] = data.ReadStored(rows[from:to], x[size*from:size*to])
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
