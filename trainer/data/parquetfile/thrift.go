package parquetfile

// These are types of Thrift's compact protocol, in which footers and the headers of pages are written.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// A thrift reads values of the compact protocol from b. After an error its results are zeros, and err stays.
type thrift struct {
	b   []byte
	at  int
	err error
}

func (t *thrift) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.at = len(t.b)
}

// take returns the next n bytes.
func (t *thrift) take(n uint64) []byte {
	if n > uint64(len(t.b)-t.at) {
		t.fail(errDamaged)
		return nil
	}
	t.at += int(n)
	return t.b[t.at-int(n) : t.at]
}

func (t *thrift) byte() byte {
	if b := t.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (t *thrift) varint() (v uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := t.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	t.fail(errDamaged)
	return 0
}

// int reads an integer of any of the types.
func (t *thrift) int() int64 {
	v := t.varint()
	return int64(v>>1) ^ -int64(v&1)
}

func (t *thrift) text() string { return string(t.take(t.varint())) }

// fields calls do with the number and the type of each field of a structure. Fields that do does not read are skipped.
func (t *thrift) fields(do func(id int, kind byte)) {
	id := 0
	for t.err == nil {
		lead := t.byte()
		if lead == 0 {
			return
		}
		kind := lead & 15
		if step := int(lead >> 4); step > 0 {
			id += step
		} else {
			id = int(int16(t.int()))
		}
		before := t.at
		if do(id, kind); t.at == before {
			t.skip(kind, false, 0)
		}
	}
}

// list calls do for each element of a list of structures. An element takes a byte at least, so that no length needs
// more calls than there are bytes.
func (t *thrift) list(kind byte, do func()) {
	n, of := t.elements()
	if kind != thriftList || of != thriftStruct {
		t.fail(errDamaged)
	}
	for ; n > 0 && t.err == nil; n-- {
		do()
	}
}

func (t *thrift) elements() (n uint64, kind byte) {
	lead := t.byte()
	if n = uint64(lead >> 4); n == 15 {
		n = t.varint()
	}
	if n > uint64(len(t.b)-t.at) {
		t.fail(errDamaged)
	}
	return n, lead & 15
}

// skip passes over a value. A truth value takes no byte in a field, and one in a list.
func (t *thrift) skip(kind byte, inList bool, depth int) {
	if depth > maxDepth {
		t.fail(errDamaged)
		return
	}
	switch kind {
	case thriftTrue, thriftFalse:
		if inList {
			t.byte()
		}
	case thriftByte:
		t.byte()
	case thriftI16, thriftI32, thriftI64:
		t.varint()
	case thriftDouble:
		t.take(8)
	case thriftBinary:
		t.take(t.varint())
	case thriftList, thriftSet:
		n, of := t.elements()
		for ; n > 0 && t.err == nil; n-- {
			t.skip(of, true, depth+1)
		}
	case thriftMap:
		n := t.varint()
		if n == 0 {
			return
		}
		of := t.byte()
		for ; n > 0 && t.err == nil; n-- {
			t.skip(of>>4, true, depth+1)
			t.skip(of&15, true, depth+1)
		}
	case thriftStruct:
		for t.err == nil {
			lead := t.byte()
			if lead == 0 {
				return
			}
			if lead>>4 == 0 {
				t.varint()
			}
			t.skip(lead&15, false, depth+1)
		}
	default:
		t.fail(errDamaged)
	}
}
