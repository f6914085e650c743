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

// maxGradNorm is the largest norm of a gradient with which Adam works in float32: the
// second moment has the factor 0.001/norm², which must not underflow. Without it, a step
// would be up to 10⁷ times as long as lr says, and the run would end with any numbers.
const maxGradNorm = 2.5e17

// outOfRange names a number of a step with which training cannot go on, or returns "".
func outOfRange(s Stats) string {
	switch {
	case !isFinite(s.Loss):
		return fmt.Sprintf("the loss is %v", s.Loss)
	case !isFinite(s.GradNorm):
		return fmt.Sprintf("the gradient's norm is %v", s.GradNorm)
	case !(s.GradNorm <= maxGradNorm):
		return fmt.Sprintf("the gradient's norm is %.3g, too large for float32 arithmetic", s.GradNorm)
	}
	return ""
}

// isFinite reports whether v is neither NaN nor infinite.
func isFinite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

// ErrMemory is wrapped by the error of a backend whose device cannot hold a model,
// whatever else is on it: the message says what was needed and what the device has.
// Another attempt on such a device would fail too.
var ErrMemory = errors.New("not enough memory")

// ErrBusy is wrapped by the error of a backend whose device could hold a model, but others
// have the memory now: the message says what was needed and what is free. A later attempt
// may succeed.
var ErrBusy = errors.New("the memory is taken now")

// ErrBroken is wrapped by the error of a device on which nothing works any more in this
// process, such as a GPU after an illegal access or an uncorrectable memory error. Every
// model on it gets this error.
var ErrBroken = errors.New("the device does not work any more")

// ErrOtherClass is wrapped by the error of a backend that has no hardware of a class:
// Hardware.Class. Bits would differ.
var ErrOtherClass = errors.New("hardware of another class")

// ErrUnsupported is wrapped by the error of a backend that cannot train a Config
// that is valid. Another attempt would fail too.
var ErrUnsupported = errors.New("not supported by this backend")
