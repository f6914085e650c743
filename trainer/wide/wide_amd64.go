package wide

import "golang.org/x/sys/cpu"

// vector says that this processor has the instructions of addFour and dots2x4.
func vector() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

// addFour is AddFour for a y whose length is a multiple of lanes.
//
//go:noescape
func addFour(y []float64, a *[4]float32, w0, w1, w2, w3 []float32)

// dots2x4 is Dots2x4 for rows whose length is a multiple of lanes.
//
//go:noescape
func dots2x4(a0, a1, b0, b1, b2, b3 []float32, out *[8]float64)
