package trainer

// A Stager is a Model on a device that batches are copied to. Loop makes the
// batches in memory that the device reads by itself, and hands over the next one
// before it asks for a step, so that copying and training overlap.
type Stager interface {
	Model

	// Buffer returns memory for one batch, [B,D]. It is the model's, until Close.
	Buffer() ([]float32, error)

	// Stage begins to copy a batch, one of Buffer's, to the device, for the next
	// Step or the one after it to be given. Until that Step returns the batch
	// stays as it is. Stage(nil) takes back what no Step was given yet.
	Stage(x []float32) error
}

// A Table is Batches whose training batches are rows of one table: a device that
// holds the table only needs their numbers.
type Table interface {
	Batches

	// TableID names the table: equal IDs, equal rows.
	TableID() string

	// Rows returns the number of rows of the table.
	Rows() int64

	// Read fills x with rows of the table from row on; their number follows from
	// len(x).
	Read(row int64, x []float32) error

	// Pick fills rows with the numbers of the rows that make up the batch of a
	// step: a pure function of (seed, step), the rows that Batch gives.
	Pick(seed, step int64, rows []int64) error
}

// A Holder is a Backend whose device may hold a table, once for all models that
// train on it.
type Holder interface {
	Backend

	// Hold is New for a model that trains on the table. Where the table does not
	// fit beside the model, the model is one of New, which is no Picker.
	Hold(c Config, s *State, t Table) (Model, error)
}

// A Picker is a Model whose device holds the table that it trains on.
type Picker interface {
	Model

	// StepRows is Step on the batch of those rows of the table, [B].
	StepRows(rows []int64) (Stats, error)
}
