package trainer

import (
	"errors"
	"fmt"
	"math"
)

// A NumericError says that training met a number that is not finite: the data is
// bad, or the run diverged. Another attempt would meet it too.
type NumericError struct {
	Step int64  // counted from 0
	What string // e.g. "the gradient norm is NaN"
	Why  string // the likely cause and what to do; empty where nothing is known
}

func (e *NumericError) Error() string {
	msg := fmt.Sprintf("step %d: %s", e.Step, e.What)
	if e.Why != "" {
		msg += ": " + e.Why
	}
	return msg
}

// isFinite reports whether v is neither NaN nor infinite.
func isFinite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

// ErrMemory is wrapped by the error of a backend that cannot hold a model: the
// message says what was needed and what is free. Another attempt would fail too.
var ErrMemory = errors.New("not enough memory")

// ErrUnsupported is wrapped by the error of a backend that cannot train a Config
// that is valid. Another attempt would fail too.
var ErrUnsupported = errors.New("not supported by this backend")
