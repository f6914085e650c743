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

	// ReadRows fills x_nD with n rows from row on.
	ReadRows(row int64, x []float32) error

	// BatchRows fills rows_B with the numbers of the rows that Batches.Batch
	// gives for a step.
	BatchRows(seed, step int64, rows []int64) error
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
