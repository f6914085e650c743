//go:build !amd64

package wide

func vector() bool { return false }

func addFour(y []float64, a *[4]float32, w0, w1, w2, w3 []float32) {}

func dots2x4(a0, a1, b0, b1, b2, b3 []float32, out *[8]float64) {}
