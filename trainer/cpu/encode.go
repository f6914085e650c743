package cpu

import "fmt"

// encodeRows is how many rows Encode takes at a time.
const encodeRows = 1024

// Encode implements trainer.Model.
func (m *model) Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error {
	rows := len(x) / m.z.d
	sel := selection{k: k, allowed: m.all, count: m.z.f}
	if among != nil {
		if len(among) != m.z.f {
			return fmt.Errorf("encode: among has %d latents, the dictionary %d", len(among), m.z.f)
		}
		sel.allowed, sel.count = make([]uint32, m.z.panels), 0
		for f, ok := range among {
			if ok {
				sel.allowed[f/nr] |= 1 << (f % nr)
				sel.count++
			}
		}
	}
	switch {
	case len(x) != rows*m.z.d:
		return fmt.Errorf("encode: %d values are not rows of width %d", len(x), m.z.d)
	case k < 1 || k > sel.count:
		return fmt.Errorf("encode: k is %d, with %d latents to choose from", k, sel.count)
	case len(acts) != rows*k || len(latents) != rows*k:
		return fmt.Errorf("encode: room for %d activations and %d latents, want %d", len(acts), len(latents), rows*k)
	}
	for from := 0; from < rows; from += encodeRows {
		n := min(encodeRows, rows-from)
		sel.done = func(row int, keys []key) {
			at := (from + row) * k
			writeKeysFilled(acts[at:at+k], latents[at:at+k], keys, sel.allowed)
		}
		m.rows = resize(m.rows, n*m.z.dPad)
		m.enc.pack(x[from*m.z.d:(from+n)*m.z.d], m.rows)
		if row := m.enc.topK(n, sel); row >= 0 {
			return m.numeric("encode: the pre-activations of row %d hold a NaN", from+row)
		}
	}
	return nil
}

// allLatents returns the mask that allows every latent.
func allLatents(z sizes) []uint32 {
	masks := make([]uint32, z.panels)
	for p := range masks {
		masks[p] = ^uint32(0)
	}
	if tail := z.f % nr; tail != 0 {
		masks[len(masks)-1] = 1<<tail - 1
	}
	return masks
}

// writeKeys writes a row's selected keys to acts and latents, [k], and zeros after
// them where they are fewer than k.
func writeKeys(acts []float32, latents []int32, keys []key) {
	for i, x := range keys {
		acts[i], latents[i] = x.act(), int32(x.latent())
	}
	clear(acts[len(keys):])
	clear(latents[len(keys):])
}

// writeKeysFilled does as writeKeys, but after the keys it writes the lowest other
// latents allowed, with activations of zero.
func writeKeysFilled(acts []float32, latents []int32, keys []key, allowed []uint32) {
	writeKeys(acts, latents, keys)
	n := len(keys)
	for f := 0; n < len(acts); f++ {
		if len(keys) > 0 && keys[0].latent() == f {
			keys = keys[1:]
			continue
		}
		if allowed[f/nr]>>(f%nr)&1 != 0 {
			latents[n] = int32(f)
			n++
		}
	}
}
