//go:build !amd64 && !arm64

package cpu

// kernelsOf returns the kernels of a path, or nil where they cannot run.
func kernelsOf(name string) *kernels {
	if name == "portable" {
		return portable()
	}
	return nil
}
