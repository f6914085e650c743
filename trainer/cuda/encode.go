//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// Encode implements trainer.Model.
func (m *model) Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error {
	rows, count := len(x)/m.z.d, m.z.f
	if among != nil {
		if len(among) != m.z.f {
			return fmt.Errorf("encode: among has %d latents, the dictionary %d", len(among), m.z.f)
		}
		count = 0
		for _, ok := range among {
			if ok {
				count++
			}
		}
	}
	switch {
	case len(x) != rows*m.z.d:
		return fmt.Errorf("encode: %d values are not rows of width %d", len(x), m.z.d)
	case k < 1 || k > count:
		return fmt.Errorf("encode: k is %d, with %d latents to choose from", k, count)
	case len(acts) != rows*k || len(latents) != rows*k:
		return fmt.Errorf("encode: room for %d activations and %d latents, want %d", len(acts), len(latents), rows*k)
	}
	leave, err := m.b.enter()
	if err != nil {
		return m.b.fault("encode", err)
	}
	defer leave()
	s := selection{k: k, among: count, zeros: true, out: kernels.Selected{
		Acts: m.acts, Latents: m.latents, NaNRow: m.totals.Add(kernels.NaNRowOffset),
	}}
	if among != nil {
		s.allowed = m.allowed
		mask := make([]uint8, m.z.f)
		for f, ok := range among {
			if ok {
				mask[f] = 1
			}
		}
		m.upload(m.allowed, mask)
	}
	// As many rows at a time as there is room for, of tokens and of results.
	most := min(m.z.b, m.z.selected()/k)
	for from := 0; from < rows; from += most {
		n := min(most, rows-from)
		err := m.encodeBlock(s, x[from*m.z.d:(from+n)*m.z.d], acts[from*k:(from+n)*k], latents[from*k:(from+n)*k])
		var nan nanRow
		if errors.As(err, &nan) {
			return &trainer.NumericError{
				Step: m.step, What: fmt.Sprintf("encode: the pre-activations of row %d hold a NaN", from+int(nan)),
			}
		}
		if err != nil {
			return m.b.fault("encode", err)
		}
	}
	return nil
}

// nanRow is the error of a row whose pre-activations hold a NaN.
type nanRow int

func (r nanRow) Error() string { return fmt.Sprintf("row %d holds a NaN", int(r)) }

// encodeBlock encodes rows that fit the buffers, and waits for the result.
func (m *model) encodeBlock(s selection, x, acts []float32, latents []int32) error {
	z, rows := m.z, len(x)/m.z.d
	m.upload(m.residual, driver.Bytes(x)) // residual is free between steps
	m.q.Zero(s.out.NaNRow, 4)
	m.q.Centre(kernels.Centre{
		X: m.residual, BDec: m.w.bDec, Out: m.centred, Half: m.centredHalf, Rounding: m.tokenRounding,
		Rows: rows, D: z.d, D4: z.d4,
	})
	m.topK(rows, s)
	m.download(driver.Bytes(acts), m.acts)
	m.download(driver.Bytes(latents), m.latents)
	nan := []int32{0}
	m.download(driver.Bytes(nan), s.out.NaNRow)
	if err := m.q.Wait(); err != nil {
		return err
	}
	if nan[0] > 0 {
		return nanRow(rows - int(nan[0]))
	}
	return nil
}

// DecoderRows implements trainer.Model. The GPU gathers the rows in memory that is free between steps: the gradient of
// W_dec, of which a step reads only what it has written. The host waits once.
func (m *model) DecoderRows(latents []int32, rows, bDec []float32) error {
	n, d := len(latents), m.z.d
	if len(rows) != n*d || len(bDec) != d || n > m.z.f {
		return fmt.Errorf("decoder rows: room for %d and %d numbers, want %d and %d; %d latents of %d",
			len(rows), len(bDec), n*d, d, n, m.z.f)
	}
	for _, f := range latents {
		if int(f) < 0 || int(f) >= m.z.f {
			return fmt.Errorf("decoder rows: latent %d of %d", f, m.z.f)
		}
	}
	leave, err := m.b.enter()
	if err != nil {
		return m.b.fault("decoder rows", err)
	}
	defer leave()
	if n > 0 {
		m.upload(m.latents, driver.Bytes(latents))
		m.q.GatherLatents(kernels.GatherLatents{
			W: m.w.wDec, Bias: m.w.bEnc, Latents: m.latents, N: n, Bytes: 4 * m.z.width(),
			Out: m.g.wDec, OutBias: m.latentNorm2, // the biases are not used
		})
		m.downloadRows(rows, m.g.wDec)
	}
	m.download(driver.Bytes(bDec), m.w.bDec)
	return m.b.fault("decoder rows", m.q.Wait())
}

// Hardware implements trainer.Model.
func (m *model) Hardware() trainer.Hardware {
	return trainer.Hardware{Class: kernels.Class, Device: trainer.PlainName(m.b.dev.Info().Name)}
}
