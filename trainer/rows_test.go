package trainer_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// numberedRows is a data set of wide rows that hold their number. read, if not nil, is called with the first number of
// what is read.
type numberedRows struct {
	trainer.Dataset
	read func(first int64) error
}

const rowSize = 64 << 10

func (d *numberedRows) ReadStored(rows []int64, x []byte) error {
	if err := d.read(rows[0]); err != nil {
		return err
	}
	for i, row := range rows {
		binary.LittleEndian.PutUint64(x[i*rowSize:(i+1)*rowSize], uint64(row))
	}
	return nil
}

func readNumbered(d *numberedRows, n int) error {
	rows, x := make([]int64, n), make([]byte, n*rowSize)
	for i := range rows {
		rows[i] = int64(1000 - i)
	}
	if err := trainer.ReadRows(d, rows, x); err != nil {
		return err
	}
	for i, row := range rows {
		if got := binary.LittleEndian.Uint64(x[i*rowSize:]); got != uint64(row) {
			return fmt.Errorf("row %d holds %d", row, got)
		}
	}
	return nil
}

// The parts of a batch are read at the same time, one for each core, but few rows by few goroutines.
func TestReadRowsAtOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	for n, want := range map[int]int{1: 1, 7: 1, 8: 2, 13: 3, 200: 5, 203: 5} {
		synctest.Test(t, func(t *testing.T) {
			var begun atomic.Int64
			all := make(chan struct{})
			err := readNumbered(&numberedRows{read: func(int64) error {
				if begun.Add(1) == int64(want) {
					close(all)
				}
				<-all
				return nil
			}}, n)
			if err != nil || begun.Load() != int64(want) {
				t.Errorf("%d rows: %d goroutines, want %d; %v", n, begun.Load(), want, err)
			}
		})
	}
}

// The error is that of the first rows that have one, however long they take, and nothing is read when it comes.
func TestReadRowsError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	synctest.Test(t, func(t *testing.T) {
		first, second := errors.New("first"), errors.New("second")
		began := time.Now()
		var reads atomic.Int64
		err := readNumbered(&numberedRows{read: func(row int64) error {
			part := (1000 - row) / 10
			time.Sleep(time.Duration(4-part) * time.Hour)
			reads.Add(1)
			return map[int64]error{1: first, 2: second}[part]
		}}, 40)
		if !errors.Is(err, first) || reads.Load() != 4 || time.Since(began) != 4*time.Hour {
			t.Errorf("error %v after %v and %d of 4 reads", err, time.Since(began), reads.Load())
		}
	})
}
