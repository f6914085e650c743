package trainer

import "fmt"

// CheckPrecision returns an error that wraps ErrUnsupported for a Config of another precision than f32. Earlier
// versions trained tf32 and bf16 on GPUs, with the encoder's factors rounded; their plans and results can be read.
func CheckPrecision(c Config) error {
	if c.Precision == "" || c.Precision == "f32" {
		return nil
	}
	return fmt.Errorf("precision %s: %w: use f32, which is exact on every backend", c.Precision, ErrUnsupported)
}
