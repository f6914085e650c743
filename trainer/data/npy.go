package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// An npyHeader is the header of a .npy file, versions 1 to 3 (NumPy Enhancement
// Proposal 1 and numpy.lib.format).
type npyHeader struct {
	descr   string // such as "<f4"
	fortran bool
	shape   []int64
	start   int64 // byte of the file at which the data begin
}

const (
	npyMagic     = "\x93NUMPY"
	npyHeaderMax = 1 << 16 // bytes; NumPy's header of a matrix takes 118
)

// readNpy parses the header of a .npy file of size bytes.
func readNpy(r io.ReaderAt, size int64) (*npyHeader, error) {
	var lead [12]byte
	n, err := r.ReadAt(lead[:], 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if n < 10 || string(lead[:6]) != npyMagic {
		return nil, errors.New("not a .npy file: it does not begin with \\x93NUMPY")
	}
	h := &npyHeader{start: 10}
	length := int64(binary.LittleEndian.Uint16(lead[8:]))
	switch v := lead[6]; {
	case v < 1 || v > 3:
		return nil, fmt.Errorf(".npy version %d is unknown", v)
	case v > 1:
		h.start = 12
		length = int64(binary.LittleEndian.Uint32(lead[8:]))
	}
	if length > npyHeaderMax {
		return nil, fmt.Errorf("the header claims %d bytes, more than any array of numbers needs", length)
	}
	if h.start+length > size {
		return nil, fmt.Errorf("truncated in its header: the file holds %d bytes", size)
	}
	text := make([]byte, length)
	if _, err := r.ReadAt(text, h.start); err != nil && err != io.EOF {
		return nil, err
	}
	h.start += length
	if err := h.parse(string(text)); err != nil {
		return nil, fmt.Errorf("header %.80q: %w", text, err)
	}
	return h, nil
}

// parse reads the header's text: a Python dict literal with three keys.
func (h *npyHeader) parse(text string) error {
	p := &npyParser{rest: text}
	seen := map[string]bool{}
	p.expect("{")
	for p.err == nil && !p.accept("}") {
		key := p.text()
		p.expect(":")
		if seen[key] {
			p.fail("%q is there twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			h.descr = p.text()
		case "fortran_order":
			h.fortran = p.boolean()
		case "shape":
			h.shape = p.ints()
		default:
			p.fail("unknown key %q", key)
		}
		if !p.accept(",") {
			p.expect("}")
			break
		}
	}
	if p.err == nil && strings.TrimSpace(p.rest) != "" {
		p.fail("text after its end")
	}
	if p.err == nil && len(seen) != 3 {
		p.fail("descr, fortran_order or shape is missing")
	}
	return p.err
}

// An npyParser parses the few kinds of Python literals that a header holds. It keeps its
// first error; results after an error mean nothing.
type npyParser struct {
	rest string
	err  error
}

func (p *npyParser) fail(format string, a ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, a...)
	}
}

// accept skips white space, then s if it comes next, and reports whether it did.
func (p *npyParser) accept(s string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	after, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = after
	}
	return ok
}

// expect skips white space and s, which must come next.
func (p *npyParser) expect(s string) {
	if !p.accept(s) {
		p.fail("no %s at %.20q", s, p.rest)
	}
}

// text parses a string without escapes.
func (p *npyParser) text() string {
	quote := "'"
	if !p.accept(quote) {
		if quote = `"`; !p.accept(quote) {
			p.fail("no plain text at %.20q", p.rest)
			return ""
		}
	}
	s, after, ok := strings.Cut(p.rest, quote)
	if !ok || strings.Contains(s, `\`) {
		p.fail("no plain text at %.20q", p.rest)
	}
	p.rest = after
	return s
}

// boolean parses True or False.
func (p *npyParser) boolean() bool {
	if p.accept("True") {
		return true
	}
	p.expect("False")
	return false
}

// ints parses a tuple of integers from 0 up.
func (p *npyParser) ints() (out []int64) {
	p.expect("(")
	for p.err == nil && !p.accept(")") {
		p.accept("") // white space
		end := strings.IndexFunc(p.rest, func(c rune) bool { return c < '0' || c > '9' })
		if end < 0 {
			end = len(p.rest)
		}
		n, err := strconv.ParseInt(p.rest[:end], 10, 64)
		if err != nil {
			p.fail("no size at %.20q", p.rest)
			return nil
		}
		p.rest = strings.TrimPrefix(p.rest[end:], "L") // Python 2 wrote 3L
		out = append(out, n)
		if !p.accept(",") {
			p.expect(")")
			break
		}
	}
	return out
}

// layout returns where the rows of a .npy file of size bytes are.
func (h *npyHeader) layout(size int64) (l layout, err error) {
	switch h.descr {
	case "<f4":
		l.dtype = f32
	case "<f2":
		l.dtype = f16
	case "<f8":
		l.dtype = f64
	case "<V2", "|V2": // NumPy has no bfloat16: arrays of the package ml_dtypes are saved so
		l.dtype = bf16
	default:
		return l, fixable{fmt.Errorf("dtype %q is not one of little-endian floating-point numbers: save x.astype('<f4') or "+
			"x.astype('<f2')", h.descr), rewrite}
	}
	if len(h.shape) < 2 {
		return l, fixable{fmt.Errorf("shape %v is not [..., width]: reshape it to [rows, width]", h.shape), rewrite}
	}
	if h.fortran {
		return l, fixable{errors.New("stored in Fortran order: save numpy.ascontiguousarray(x)"), rewrite}
	}
	if err := l.setShape(h.shape); err != nil {
		return l, err
	}
	l.start = h.start
	if want, got := l.bytes(), size-h.start; want > got {
		return l, fmt.Errorf("truncated: %d rows of %d numbers take %d bytes, it holds %d: copy or write it again",
			l.rows, l.dim, want, got)
	} else if want < got {
		return l, fmt.Errorf("%d bytes follow its %d rows of %d numbers: write one array per file",
			got-want, l.rows, l.dim)
	}
	return l, nil
}
