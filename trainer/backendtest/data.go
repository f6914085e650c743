package backendtest

import "github.com/topksweep/sweep/trainer"

// batches are trainer.Batches of any making.
type batches struct {
	d     int
	batch func(seed, step int64, x []float32) error
}

func (b batches) Dim() int                                  { return b.d }
func (b batches) Dataset() trainer.Dataset                  { return nil }
func (b batches) Batch(seed, step int64, x []float32) error { return b.batch(seed, step, x) }

// Data returns batches of sparse sums of a few directions around a mean, on
// which latents specialise and die.
func Data(c trainer.Config) trainer.Batches {
	return batches{c.ActivationDim, func(seed, step int64, x []float32) error {
		fillSparse(c.ActivationDim, seed, step, x)
		return nil
	}}
}

// Batch fills x_BD with the batch of a step of Data.
func Batch(c trainer.Config, step int64, x []float32) {
	fillSparse(c.ActivationDim, c.Seed, step, x)
}

func fillSparse(d int, seed, step int64, x []float32) {
	u := func(stream, index int) float64 {
		return trainer.Uniform(uint64(seed), uint64(1000+stream), uint64(index))
	}
	for row := range len(x) / d {
		out, at := x[row*d:(row+1)*d], int(step)*len(x)/d+row
		for j := range out {
			out[j] = float32(0.3*u(0, j) + 0.05*(u(1, at*d+j)-0.5))
		}
		for i := range 3 {
			direction, size := int(u(2, at*3+i)*24), float32(0.5+u(3, at*3+i))
			for j := range out {
				out[j] += size * float32(u(4, direction*d+j)-0.5)
			}
		}
	}
}

// Repeat returns data whose batch is x_BD in every step.
func Repeat(c trainer.Config, x []float32) trainer.Batches {
	return batches{c.ActivationDim, func(_, _ int64, batch []float32) error { copy(batch, x); return nil }}
}
