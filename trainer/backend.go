package trainer

import (
	"context"
	"iter"
	"strings"
	"unicode"
)

// A Backend trains models on one kind of device. Its results depend on the
// Config, the State and the batches only: not on the number of threads, the
// load of the machine or what else it trains.
type Backend interface {
	// Name is the word by which the backend is chosen: cpu, cuda.
	Name() string

	// Bytes returns the memory in bytes that a model of c takes in training: on the
	// device, and on the host beside it, where a State is copied for checkpoints.
	Bytes(c Config) (device, host int64)

	// Unsupported returns an error that wraps ErrUnsupported where the backend cannot
	// train c, a resolved and valid Config, whatever memory is free; nil where it can.
	// New returns the same error.
	Unsupported(c Config) error

	// New puts a model on the device that goes on from s, which it copies, and
	// that trains on data. The Config is resolved and valid, and data has rows
	// of its width. data is nil for a model that only encodes: its Steps give
	// ErrNoData. Only then s may lack moments (State.HasMoments): they would be
	// memory that nothing uses, and Save gives an error. The error wraps ErrMemory,
	// ErrBusy or ErrBroken where the device is the reason; nothing stays allocated then.
	New(c Config, s *State, data Batches) (Model, error)

	// OfClass returns the backend on its hardware of a class alone (Hardware.Class). It is the
	// backend itself for "" and where all of its hardware is of the class. The error wraps
	// ErrOtherClass if it has none of the class, and names the class that it has.
	OfClass(class string) (Backend, error)

	// MeasureRoofline measures what the device could do at best. It takes about
	// half a second. Both results are nil where the backend cannot measure that.
	MeasureRoofline() (*Roofline, error)
}

// FreeMemory is implemented by a Backend that knows how much memory of its device is free, in bytes.
// The error wraps ErrBroken where the device does not work.
type FreeMemory interface {
	FreeMemory() (int64, error)
}

// A Model is one autoencoder in training on a device. It is used by one
// goroutine at a time.
type Model interface {
	Encoder

	// Steps trains from the step that the model is at up to step to. It is a
	// sequence to range over: behind each step it gives that step's stats.
	//
	//	for stats, err := range m.Steps(ctx, 1000) {
	//		if err != nil {
	//			return err
	//		}
	//		log.Print(stats.Loss) // the model may be saved here
	//	}
	//
	// Each step trains on the batch of its own number. Step 0 first sets b_dec
	// to the geometric median of its batch, unless Config.Init names the weights that
	// the state holds: then b_dec is that of the state. An error is the last thing that the
	// sequence gives: the data's error, the cause of ctx being done, or a
	// *NumericError for a loss, gradient or activation that is not finite, and
	// the model is then not to be used further. After the other two it can be
	// saved, and trained further by another call.
	//
	// The model may read the batches of later steps ahead, on other goroutines.
	// Nothing reads the data any more once the loop over the sequence has ended.
	// The error of each method wraps ErrBroken where the device works no more, and
	// ErrBusy where it lacks memory now: nothing but Close may be called then.
	Steps(ctx context.Context, to int64) iter.Seq2[Stats, error]

	// Save copies the training state into s, which NewState made. It leaves s.Curve
	// and s.FirstDead as they are: Loop keeps them.
	Save(s *State) error

	// DecoderRows gives the rows of W_dec of n latents, in that order, to rows_nD, and
	// b_dec to bDec_D, as Save would: the rows are not brought to unit norm. No latent
	// comes twice. It may be called where Save may, and changes nothing.
	DecoderRows(latents []int32, rows, bDec []float32) error

	// Hardware names what the model trains on.
	Hardware() Hardware

	// Close frees the device's memory.
	Close() error
}

// Hardware names what a model trains on, for people. It has no name of a machine or a user.
type Hardware struct {
	Class  string // hardware whose bits agree: backend, instruction path or GPU, version of the library
	Device string // what the processor or the GPU calls itself; empty where the system does not say
}

// PlainName returns the name that a device has for itself as one line of at most 100 printable characters.
func PlainName(name string) string {
	printable := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	words := []rune(strings.Join(strings.Fields(printable), " "))
	return strings.TrimSpace(string(words[:min(len(words), 100)]))
}

// An Encoder computes the activations of an autoencoder.
type Encoder interface {
	// Encode gives for each row of x_BD (any number of rows n) the k largest
	// ReLU pre-activations and their latents, in no particular order: acts_nK
	// and latents_nK, both of length n·k. Ties go to the lowest latent. With
	// among non-nil ([F]), only latents f with among[f] take part; k is at most
	// their number. It changes nothing.
	Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error
}
