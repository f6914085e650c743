package data

import (
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/topksweep/sweep/trainer"
)

// These are streams of trainer.Rand.
const (
	streamDirections = 0x64697273
	streamRows       = 0x726f7773
)

// synthetic is a source of rows whose true directions are known, after the toy models of
// superposition (Elhage et al. 2022) and Sharkey et al. 2022. A row is
//
//	x_D = Σ_i c_i · direction_i + noise · z_D
//
// over the directions i that are active in it. Direction i is active with probability
// p_i = min(1, c·(i+1)^-zipf), independently of the others, where c is such that the p_i
// sum to the setting active. Its coefficient c_i is 1/2 plus an exponential variable of
// mean 1/2, so that it is never near zero and has mean 1. z is standard normal. The
// directions are unit vectors, drawn uniformly from the sphere. A row is a pure function
// of the seed and its number.
type synthetic struct {
	trainer.Synthetic
	dirs []float32 // [directions, D]
	p    []float64 // [directions] probability to be active, falling
	skip []float64 // [directions] 1/log(1−p)
	z    []float32 // see quantiles
}

func newSynthetic(spec trainer.Synthetic) (*synthetic, error) {
	if err := checkSynthetic(spec); err != nil {
		return nil, err
	}
	s := &synthetic{Synthetic: spec, p: probabilities(spec), z: quantiles()}
	s.skip = make([]float64, len(s.p))
	for i, p := range s.p {
		s.skip[i] = 1 / math.Log1p(-p)
	}
	d := spec.ActivationDim
	s.dirs = make([]float32, spec.Directions*d)
	for i := range spec.Directions {
		row := s.dirs[i*d : (i+1)*d]
		for n := 0.0; n == 0; {
			s.normal(row, trainer.Rand(uint64(spec.Seed), streamDirections, uint64(i)), 1)
			for _, v := range row {
				n += float64(v) * float64(v)
			}
			for j := range row {
				row[j] = float32(float64(row[j]) / math.Sqrt(n))
			}
		}
	}
	return s, nil
}

// checkSynthetic returns an error for the first setting that is out of range.
func checkSynthetic(s trainer.Synthetic) error {
	bad := func(key, format string, a ...any) error {
		return &SourceError{Msg: "synthetic." + key + ": " + fmt.Sprintf(format, a...)}
	}
	switch {
	case s.ActivationDim < 1 || s.ActivationDim > maxDim:
		return bad("activation_dim", "%d is outside [1, %d]", s.ActivationDim, maxDim)
	case s.Directions < 1 || int64(s.Directions) > 1<<31/int64(s.ActivationDim):
		return bad("directions", "%d is outside [1, %d]", s.Directions, 1<<31/int64(s.ActivationDim))
	case s.Tokens < 1 || s.Tokens > 1<<48:
		return bad("tokens", "%d is outside [1, 2^48]", s.Tokens)
	case !(s.Active > 0 && s.Active <= float64(s.Directions)):
		return bad("active", "%v is outside (0, %d], the number of directions", s.Active, s.Directions)
	case !(s.Zipf >= 0 && s.Zipf <= 10):
		return bad("zipf", "%v is outside [0, 10]", s.Zipf)
	case !(s.Noise >= 0 && s.Noise <= math.MaxFloat32):
		return bad("noise", "%v is not a standard deviation", s.Noise)
	}
	return nil
}

// probabilities returns p_i = min(1, c·(i+1)^-zipf) for the c that makes their sum the
// setting active. Where the first m are 1, c is (active−m) over the sum of the other
// (i+1)^-zipf.
func probabilities(s trainer.Synthetic) []float64 {
	w := make([]float64, s.Directions)
	rest := make([]float64, s.Directions+1) // rest[i] = w[i] + w[i+1] + …
	for i := len(w) - 1; i >= 0; i-- {
		w[i] = math.Pow(float64(i+1), -s.Zipf)
		rest[i] = rest[i+1] + w[i]
	}
	m := 0
	for m < len(w) && (s.Active-float64(m))*w[m] >= rest[m] {
		w[m] = 1
		m++
	}
	for i := m; i < len(w); i++ {
		w[i] *= (s.Active - float64(m)) / rest[m]
	}
	return w
}

func (s *synthetic) rows() int64   { return s.Tokens }
func (s *synthetic) dim() int      { return s.ActivationDim }
func (s *synthetic) stored() dtype { return f32 }
func (s *synthetic) Close() error  { return nil }

func (s *synthetic) readStored(row int64, x []byte, _ limit, buf []byte) error {
	row_D := make([]float32, s.ActivationDim)
	err := s.read(row, row_D, 1, buf)
	encode(x, row_D)
	return err
}

func (s *synthetic) read(row int64, x []float32, scale float32, _ []byte) error {
	key := trainer.Rand(uint64(s.Seed), streamRows, uint64(row))
	s.normal(x, key, float32(s.Noise))
	s.active(key, func(i int, c float32) {
		for j, v := range s.dirs[i*len(x):][:len(x)] {
			x[j] += float32(c * v) // rounded before the addition: no machine may fuse the two
		}
	})
	for j := range x {
		x[j] *= scale
	}
	return nil
}

// active calls visit for each direction that is active in the row of key, in order,
// with its coefficient. It skips inactive ones by geometrically distributed steps
// (Miller, Hagberg 2011), so that the time grows with the number of active directions,
// not of all.
func (s *synthetic) active(key uint64, visit func(i int, c float32)) {
	draws := uint64(1) << 32 // the noise uses the numbers below
	uniform := func() float64 {
		draws++
		return float64(trainer.Mix(key^draws)>>11) * 0x1p-53
	}
	// Candidates are drawn with the probability of direction from, which is at least
	// theirs. Candidate i is then accepted with probability p[i]/p[from].
	from := 0
	for i := 0; i < len(s.p) && s.p[from] > 0; i++ {
		p := s.p[from]
		if p < 1 {
			step := math.Log(1-uniform()) * s.skip[from]
			if step >= float64(len(s.p)-i) {
				return
			}
			i += int(step)
		}
		if uniform()*p < s.p[i] {
			visit(i, float32(0.5-0.5*math.Log(1-uniform())))
		}
		from = i
	}
}

// quantiles returns 4,096 values of a normal distribution with variance 1/2, at evenly
// spaced probabilities. The sum of two of them drawn at random is nearly a standard
// normal variable, of 2^24 combinations within ±5.1, and takes a fraction of the time of
// logarithms.
func quantiles() []float32 {
	z := make([]float64, 4096)
	square := 0.0
	for i := range z {
		z[i] = math.Erfinv((2*float64(i)+1)/float64(len(z)) - 1)
		square += z[i] * z[i]
	}
	out := make([]float32, len(z))
	for i := range z {
		out[i] = float32(z[i] * math.Sqrt(float64(len(z))/(2*square)))
	}
	return out
}

// normal fills x with normal numbers of mean 0 and standard deviation sd, drawn by key.
func (s *synthetic) normal(x []float32, key uint64, sd float32) {
	if sd == 0 {
		clear(x)
		return
	}
	z := (*[4096]float32)(s.z)
	var r uint64
	for i := range x {
		if i&1 == 0 {
			r = trainer.Mix(key ^ uint64(i))
		}
		x[i] = sd * (z[r&4095] + z[r>>12&4095])
		r >>= 24
	}
}

// digest covers all settings that change the rows. The number after "synthetic" must be
// raised when the generator changes.
func (s *synthetic) digest() digest {
	return sha256.Sum256(fmt.Appendf(nil, "synthetic 1\n%d %d %d %x %x %x %d\n",
		s.ActivationDim, s.Directions, s.Tokens, s.Active, s.Zipf, s.Noise, s.Seed))
}
