//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/driver"

// A precision is how the encoder's product is taken. Its sums are in float32,
// and so is all else.
type precision struct {
	in      driver.Type
	bytes   int // of a factor
	compute driver.Compute
}

// precisions are the words of the Config's Precision.
var precisions = map[string]precision{
	"f32":  {driver.TypeF32, 4, driver.ComputeF32},
	"tf32": {driver.TypeF32, 4, driver.ComputeTF32},
	"bf16": {driver.TypeBF16, 2, driver.ComputeF32},
}
