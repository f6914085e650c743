package trainer

import "errors"

// Batches are what a run trains on. Several goroutines may call the methods at
// once.
type Batches interface {
	// Dim returns the width D of a row.
	Dim() int

	// Batch fills x_BD with the batch of a step: a pure function of (seed,
	// step). B follows from len(x).
	Batch(seed, step int64, x []float32) error

	// Dataset returns the numbered rows that all batches are made of, or nil
	// where they are made otherwise. A device that holds a data set only needs
	// the numbers of a batch's rows.
	Dataset() Dataset
}

// A Dataset is the rows that batches are made of, numbered from 0. Several
// goroutines may call the methods at once.
type Dataset interface {
	// Dim returns the width D of a row.
	Dim() int

	// Identity names the rows as they are read now: equal identities, equal rows. It becomes
	// another where what was read before may have been other rows. So a copy of the rows that
	// was made under another identity is not to be trained on.
	Identity() string

	// Rows returns the number of rows.
	Rows() int64

	// Format says how ReadStored gives the numbers of the rows.
	Format() Format

	// ReadStored fills x with the rows of those numbers, one after the other: len(rows)·Dim numbers as Format says.
	// Widened and scaled they are the bits that Batches.Batch gives of these rows, and are finite: else it returns the
	// error that Batch returns.
	ReadStored(rows []int64, x []byte) error

	// BatchRows fills rows_B with the numbers of the rows that Batches.Batch
	// gives for a step.
	BatchRows(seed, step int64, rows []int64) error
}

// A Format says how numbers are stored, little-endian, and what they stand for: a number is widened to float32, which
// is exact, and then multiplied by Scale in float32.
type Format struct {
	Type  NumberType
	Scale float32
}

// A NumberType is the type of a stored number.
type NumberType int

const (
	F32  NumberType = iota
	F16             // binary16 of IEEE 754
	BF16            // the upper half of a float32
)

// Bytes returns the size of a number.
func (t NumberType) Bytes() int {
	if t == F32 {
		return 4
	}
	return 2
}

// HeldOut are rows that no run trains on, for evaluation.
type HeldOut interface {
	// Eval fills x_nD with n held-out rows from row on.
	Eval(row int64, x []float32) error

	// EvalRows returns the number of held-out rows.
	EvalRows() int64
}

// ErrNoMoments is the error of saving a model that was made of a state without moments.
var ErrNoMoments = errors.New("the model has no moments: it only encodes")

// ErrNoData is the error of the steps of a model that was made without data.
var ErrNoData = errors.New("the model has no data to train on")
