//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/driver"

// A precision says how the factors of the encoder's product are rounded. Its sums, and all
// other arithmetic, are in float32 or more.
type precision struct {
	in      driver.Type
	bytes   int // of a factor
	compute driver.Compute
}

// precisionOf returns the precision that Config.Precision names.
func precisionOf(name string) (precision, bool) {
	p, ok := map[string]precision{
		"f32":  {driver.TypeF32, 4, driver.ComputeF32},
		"tf32": {driver.TypeF32, 4, driver.ComputeTF32},
		"bf16": {driver.TypeBF16, 2, driver.ComputeF32},
	}[name]
	return p, ok
}
