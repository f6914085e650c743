//go:build cuda

package kernels

// CountFired counts for each latent the tokens since it fired, and marks the dead latents. It also counts
// those that are dead after the next batch unless they fire in it.
type CountFired struct {
	Hits       ptr // [F] int32: hits of each latent in this batch
	ZeroPicks  ptr // [F] int32, or 0: how often it was selected with the value 0; reset to 0
	SinceFired ptr // [F] int64: 0 for a latent that fired, else B more than before
	Dead       ptr // [F] bytes, result
	F          int
	B          int64
	Limit      int64 // a latent is dead from so many tokens on
	Totals     ptr   // *StepTotals
}

func (q *Queue) CountFired(c CountFired) {
	q.require(c.F > 0, "count fired: %d latents", c.F)
	q.launch("count_fired", linear(c.F, 256), c.Hits, c.ZeroPicks, c.SinceFired, c.Dead, i32(c.F), i64(c.B),
		i64(c.Limit), c.Totals)
}
