package parquetfile

// decoder returns a function that fills a slice with the next numbers of a page.
func (p *pages) decoder(h header, values []byte) (func(raw []byte) error, error) {
	size := p.column.bytes
	switch h.encoding {
	case encodingPlain:
		return func(raw []byte) error {
			if len(values) < len(raw) {
				return errDamaged
			}
			values = values[copy(raw, values):]
			return nil
		}, nil
	case encodingSplit: // the first bytes of all numbers, then the second ones, and so on
		n, at := len(values)/size, 0
		if int64(n) != h.values || len(values)%size != 0 {
			return nil, errDamaged
		}
		return func(raw []byte) error {
			for i := range len(raw) / size {
				for j := range size {
					raw[i*size+j] = values[j*n+at+i]
				}
			}
			at += len(raw) / size
			return nil
		}, nil
	case encodingPlainDictionary, encodingDictionary:
		if len(values) == 0 || values[0] > 32 {
			return nil, errDamaged
		}
		indexes, scratch := newRuns(values[1:], int(values[0])), make([]uint32, some)
		return func(raw []byte) error {
			some := scratch[:len(raw)/size]
			if err := indexes.read(some); err != nil {
				return err
			}
			for i, at := range some {
				if uint64(at) >= uint64(len(p.dictionary)/size) {
					return errDamaged
				}
				copy(raw[i*size:(i+1)*size], p.dictionary[int(at)*size:])
			}
			return nil
		}, nil
	}
	return nil, unknownEncoding(h.encoding)
}

func unknownEncoding(encoding int64) error {
	return bad("encoding %d of its pages is not read: write it with the defaults of pyarrow", encoding)
}

// runs are numbers of a few bits each, as runs of one number and as packed ones. It reads them one after the other.
type runs struct {
	b     []byte
	width int // bits of a number

	left   uint64 // numbers of the run
	packed bool
	value  uint32 // of a run of one number
	bits   uint64 // packed ones that were taken from b
	held   int    // how many bits those are
}

func newRuns(b []byte, width int) *runs { return &runs{b: b, width: width} }

// read fills out with the next numbers.
func (r *runs) read(out []uint32) error {
	for len(out) > 0 {
		if r.left == 0 {
			if err := r.next(); err != nil {
				return err
			}
		}
		n := int(min(r.left, uint64(len(out))))
		if r.packed {
			if err := r.unpack(out[:n]); err != nil {
				return err
			}
		} else {
			for i := range out[:n] {
				out[i] = r.value
			}
		}
		r.left, out = r.left-uint64(n), out[n:]
	}
	return nil
}

// next begins a run.
func (r *runs) next() error {
	t := &thrift{b: r.b} // its varint is that of runs
	lead := t.varint()
	r.left, r.packed = lead>>1, lead&1 == 1
	if r.packed {
		r.bits, r.held = 0, 0
		if r.left > 1<<40 {
			return errDamaged
		}
		r.left *= 8
	} else {
		r.value = 0
		for i, b := range t.take(uint64(r.width+7) / 8) {
			r.value |= uint32(b) << (8 * i)
		}
	}
	if t.err != nil {
		return errDamaged
	}
	r.b = r.b[t.at:]
	return nil
}

// unpack reads packed numbers, the lowest bits first. What follows the last number that a page needs may be missing.
func (r *runs) unpack(out []uint32) error {
	for i := range out {
		for r.held < r.width {
			if len(r.b) == 0 {
				return errDamaged
			}
			r.bits |= uint64(r.b[0]) << r.held
			r.b, r.held = r.b[1:], r.held+8
		}
		out[i] = uint32(r.bits & (1<<r.width - 1))
		r.bits, r.held = r.bits>>r.width, r.held-r.width
	}
	return nil
}
