package data

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// Format implements trainer.Dataset. The numbers are those of the shards, or float32 where shards differ in their type.
func (s *Set) Format() trainer.Format {
	f := trainer.Format{Type: trainer.F32, Scale: s.scale}
	switch s.src.stored() {
	case f16:
		f.Type = trainer.F16
	case bf16:
		f.Type = trainer.BF16
	}
	return f
}

// ReadStored implements trainer.Dataset. It copies bytes, and decodes none.
func (s *Set) ReadStored(rows []int64, x []byte) error {
	size := s.info.Dim * int(s.src.stored().size())
	if len(x) != len(rows)*size {
		return fmt.Errorf("read rows: %d bytes are not those of %d rows of %d", len(x), len(rows), size)
	}
	buf := s.bufs.Get().(*[]byte)
	defer s.bufs.Put(buf)
	for i, row := range rows {
		if row < 0 || row >= s.src.rows() {
			return fmt.Errorf("read rows: row %d of %d", row, s.src.rows())
		}
		if err := s.src.readStored(row, x[i*size:(i+1)*size], s.limit, *buf); err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
	}
	return nil
}

// A limit tells stored numbers of one type that are finite, also when they are scaled, from others. Of numbers without
// their signs, larger bits are larger numbers, then infinity, then NaN. So a limit is one number: the bits of the
// largest one whose product with the scale is finite.
type limit struct {
	bytes int64 // of a number
	scale float32
	most  uint32
}

func (t dtype) limit(scale float32) limit {
	widest := 1<<(8*t.size()-1) - 1
	bad := sort.Search(widest, func(bits int) bool {
		v := t.number(uint32(bits)) * scale
		return v-v != 0
	})
	return limit{t.size(), scale, uint32(bad - 1)}
}

// number returns the number with these bits.
func (t dtype) number(bits uint32) float32 {
	switch t {
	case f16:
		return safetensors.Float16(uint16(bits))
	case bf16:
		return safetensors.BFloat16(uint16(bits))
	}
	return math.Float32frombits(bits)
}

// holds reports whether all numbers of x are within the limit. It adds to each number without its sign what makes the
// sign's bit 1 if the number is above the limit, to as many numbers at once as a word has: no sum reaches the next
// number. For f16 with most = 0x7bff, which is 65504:
//
//	0x7bff + 0x0400 = 0x7fff    the largest number
//	0x7c00 + 0x0400 = 0x8000    infinity: bit 15 is set
func (l limit) holds(x []byte) bool {
	sign, add := uint64(0x80000000_80000000), uint64(0x7fffffff-l.most)*0x1_00000001
	if l.bytes == 2 {
		sign, add = 0x8000_8000_8000_8000, uint64(0x7fff-l.most)*0x1_0001_0001_0001
	}
	var a, b, c, d uint64
	for len(x) >= 32 {
		p := (*[32]byte)(x)
		a |= binary.LittleEndian.Uint64(p[0:])&^sign + add
		b |= binary.LittleEndian.Uint64(p[8:])&^sign + add
		c |= binary.LittleEndian.Uint64(p[16:])&^sign + add
		d |= binary.LittleEndian.Uint64(p[24:])&^sign + add
		x = x[32:]
	}
	for len(x) >= 8 {
		a |= binary.LittleEndian.Uint64(x)&^sign + add
		x = x[8:]
	}
	var rest [8]byte // zeros are within each limit
	copy(rest[:], x)
	b |= binary.LittleEndian.Uint64(rest[:])&^sign + add
	return (a|b|c|d)&sign == 0
}

// widen fills x with the numbers of src, of type t, as little-endian float32.
func (t dtype) widen(x, src []byte, half *f16Values) {
	var some [256]float32
	for size := int(t.size()); len(src) > 0; {
		n := min(len(src)/size, len(some))
		t.decode(some[:n], src[:n*size], 1, half)
		encode(x[:4*n], some[:n])
		x, src = x[4*n:], src[n*size:]
	}
}

// encode fills x with the bytes of numbers, little-endian.
func encode(x []byte, numbers []float32) {
	for i, v := range numbers {
		binary.LittleEndian.PutUint32(x[4*i:], math.Float32bits(v))
	}
}
