package trainer

// A Backend trains models on one kind of device. Its results depend on the
// Config, the State and the batches only: not on the number of threads, the
// load of the machine or what else it trains.
type Backend interface {
	// Name is the word by which the backend is chosen: cpu, cuda.
	Name() string

	// Bytes returns the memory that a model of c takes on the device in
	// training, and one more on the host while a checkpoint is taken.
	Bytes(c Config) (device, host int64)

	// New puts a model on the device that goes on from s, which it copies. The
	// Config is resolved and valid.
	New(c Config, s *State) (Model, error)
}

// A Model is one autoencoder in training on a device. It is used by one
// goroutine at a time.
type Model interface {
	// Step trains on the batch x_BD, row-major, and moves on to the next step.
	// At step 0 it first sets b_dec to the geometric median of x. A loss,
	// gradient or activation that is not finite is a *NumericError, and the
	// model is then not to be used further.
	Step(x []float32) (Stats, error)

	// Encode gives for each row of x_BD (any number of rows n) the k largest
	// ReLU pre-activations and their latents, in no particular order: acts_nK
	// and latents_nK, both of length n·k. Ties go to the lowest latent. With
	// among non-nil ([F]), only latents f with among[f] take part; k is at most
	// their number. It changes nothing.
	Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error

	// Save copies the training state into s, whose slices have the right
	// lengths (NewState). It leaves s.Curve and s.FirstDead alone: the loop keeps them.
	Save(s *State) error

	// Close frees the device's memory.
	Close() error
}

// Batches serves activations: the training batches and the held-out slice.
type Batches interface {
	// Batch fills x_BD with the batch of a step: a pure function of (seed,
	// step). B follows from len(x).
	Batch(seed, step int64, x []float32) error

	// Eval fills x with held-out rows from row on; their number follows from
	// len(x).
	Eval(row int64, x []float32) error

	// EvalRows returns the number of held-out rows.
	EvalRows() int64

	// Dim returns the width D of a row.
	Dim() int
}
