//go:build cuda

package kernels

// Counters moves the tokens since each latent fired on.
type Counters struct {
	Hits, ZeroPicks ptr // [F] counts; ZeroPicks, which may be 0, are set back to 0
	Since           ptr // [F] int64
	Dead, Dying     ptr // [F] bytes
	F               int
	B, Limit        int64 // Limit: fewest tokens that are dead
	Totals          ptr
}

func (q *Queue) Counters(c Counters) {
	q.need(c.F > 0, "counters: %d latents", c.F)
	q.launch("counters", linear(c.F, 256), args(c.Hits, c.ZeroPicks, c.Since, c.Dead, c.Dying, i32(c.F), i64(c.B), i64(c.Limit), c.Totals))
}
