//go:build cuda

package kernels

// Step is what the host says of a step (struct Step of common.cuh).
type Step struct {
	X       ptr     // [B,D] the batch
	Rate    float32 // lr / (1 - beta1^t)
	Root    float32 // 1 / sqrt(1 - beta2^t)
	Average int32   // 1: move the threshold's average on
	_       int32
}

// Totals are what the device knows of a step (struct Totals of common.cuh).
type Totals struct {
	L2        float64 // mean over the batch of the squared error
	Aux       float64 // AuxK loss, before alpha
	Norm2     float64 // squared norm of the gradients
	Longest   uint64  // largest tokens since fired
	Dead      int32   // latents dead in this step
	Dying     int32   // latents dead in the next step unless they fire
	BadRow    int32   // B - first row with a NaN among its pre-activations; 0: none
	AuxBadRow int32   // the same of AuxK's
	Threshold float32 // average of the smallest positive kept activation; -1: unset
	Clip      float32
	MainScale float32
	AuxScale  float32
	MainLeft  int32
	Extras    int32
}

// Offsets in Totals that kernels are given.
const (
	BadRow    = 3*8 + 8 + 2*4
	AuxBadRow = BadRow + 4
	Threshold = AuxBadRow + 4
)
