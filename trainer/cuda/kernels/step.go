//go:build cuda

package kernels

import "unsafe"

// StepInput is what the host tells the device of a step: struct StepInput of common.cuh, with
// the same layout.
type StepInput struct {
	X               ptr     // [B,D] the batch
	Rate            float32 // lr / (1 − β1^t)
	Root            float32 // 1 / √(1 − β2^t)
	UpdateThreshold int32   // 1: the threshold's moving average takes this step's mean
	_               int32
}

// StepTotals are the numbers of a step on the device: struct StepTotals of common.cuh, with
// the same layout. The host reads them after the step.
type StepTotals struct {
	L2            float64 // mean over the batch of the squared error
	Aux           float64 // AuxK loss, before alpha
	Norm2         float64 // squared norm of all gradients
	MaxSinceFired uint64  // most tokens since any latent fired
	Dead          int32   // latents that are dead in this step
	Dying         int32   // latents that are dead in the next step unless they fire in it
	NaNRow        int32   // B − the first row with a NaN among its pre-activations; 0: none
	AuxNaNRow     int32   // the same for AuxK's pre-activations
	Threshold     float32 // moving average of the smallest positive kept activation; −1: none yet
	Clip          float32 // the factor that clips the gradients
	MainScale     float32 // ∂loss/∂reconstruction = MainScale · residual
	AuxScale      float32 // for dead latents it is AuxScale · auxResidual
	MainIsAux     int32   // 1: for living latents it is MainScale · auxResidual
	Extras        int32   // segments of hits beyond each latent's first
}

// Sizes of the structs, and offsets of the fields of StepTotals whose addresses kernels or
// copies are given.
const (
	StepInputBytes  = int64(unsafe.Sizeof(StepInput{}))
	StepTotalsBytes = int64(unsafe.Sizeof(StepTotals{}))
	NaNRowOffset    = int64(unsafe.Offsetof(StepTotals{}.NaNRow))
	AuxNaNRowOffset = int64(unsafe.Offsetof(StepTotals{}.AuxNaNRow))
	ThresholdOffset = int64(unsafe.Offsetof(StepTotals{}.Threshold))
)
