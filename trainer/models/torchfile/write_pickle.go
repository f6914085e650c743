package torchfile

import (
	"encoding/binary"
	"math"
	"strconv"
)

// pickleDict returns the pickle of a dict of tensors, of protocol 2, byte for byte as torch.save writes it: what Python
// has already written is fetched from the memo, in which each new object gets the next number.
func pickleDict(entries []Entry, sizes []int64) []byte {
	p := &pickler{memo: map[string]int{}}
	p.op(opProto, 2)
	p.op(opEmptyDict)
	p.put()
	for len(entries) > 0 {
		n := min(len(entries), 1000) // as Python's pickler does it
		if n > 1 {
			p.op(opMark)
		}
		for i, e := range entries[:n] {
			p.text(e.Name)
			p.put()
			p.tensor(e, sizes[i]/kinds[e.DType].size)
		}
		if n > 1 {
			p.op(opSetItems)
		} else {
			p.op(opSetItem)
		}
		entries, sizes = entries[n:], sizes[n:]
	}
	p.op(opStop)
	return p.b
}

// A pickler appends the opcodes of a pickle.
type pickler struct {
	b       []byte
	next    int            // the next number of the memo
	memo    map[string]int // globals and texts that come again
	tensors int
}

func (p *pickler) op(op byte, arg ...byte) { p.b = append(append(p.b, op), arg...) }

// put gives what was just written the next number of the memo.
func (p *pickler) put() {
	if p.next < 256 {
		p.op(opBinPut, byte(p.next))
	} else {
		p.op(opLongBinPut, binary.LittleEndian.AppendUint32(nil, uint32(p.next))...)
	}
	p.next++
}

// again writes what has the key in the memo, or lets write write it, with that key from now on.
func (p *pickler) again(key string, write func()) {
	n, ok := p.memo[key]
	switch {
	case !ok:
		write()
		p.memo[key] = p.next
		p.put()
	case n < 256:
		p.op(opBinGet, byte(n))
	default:
		p.op(opLongBinGet, binary.LittleEndian.AppendUint32(nil, uint32(n))...)
	}
}

func (p *pickler) text(s string) {
	p.op(opBinUnicode, binary.LittleEndian.AppendUint32(nil, uint32(len(s)))...)
	p.b = append(p.b, s...)
}

func (p *pickler) global(module, name string) {
	p.again("global "+module+"."+name, func() {
		p.op(opGlobal)
		p.b = append(p.b, module+"\n"+name+"\n"...)
	})
}

func (p *pickler) int(n int64) {
	switch {
	case n >= 0 && n <= math.MaxUint8:
		p.op(opBinInt1, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		p.op(opBinInt2, binary.LittleEndian.AppendUint16(nil, uint16(n))...)
	case n >= math.MinInt32 && n <= math.MaxInt32:
		p.op(opBinInt, binary.LittleEndian.AppendUint32(nil, uint32(n))...)
	default:
		b := binary.LittleEndian.AppendUint64(nil, uint64(n))
		for len(b) > 1 && b[len(b)-1] == 0 && b[len(b)-2] < 0x80 {
			b = b[:len(b)-1]
		}
		p.op(opLong1, append([]byte{byte(len(b))}, b...)...)
	}
}

// ints writes a tuple of numbers.
func (p *pickler) ints(n []int64) {
	if len(n) > 3 {
		p.op(opMark)
	}
	for _, v := range n {
		p.int(v)
	}
	switch len(n) {
	case 0:
		p.op(opEmptyTuple)
		return // Python keeps no empty tuple in the memo
	case 1, 2, 3:
		p.op(opTuple1 + byte(len(n)-1))
	default:
		p.op(opTuple)
	}
	p.put()
}

// tensor writes
//
//	_rebuild_tensor_v2(storage, offset 0, shape, strides, requires_grad False, hooks OrderedDict())
//
// where storage is the persistent ID ("storage", class, name of the entry below data/, "cpu", number of elements).
func (p *pickler) tensor(e Entry, elements int64) {
	p.global("torch._utils", "_rebuild_tensor_v2")
	p.op(opMark)
	p.op(opMark)
	p.again("storage", func() { p.text("storage") })
	p.global("torch", kinds[e.DType].storage)
	p.text(strconv.Itoa(p.tensors))
	p.put()
	p.again("cpu", func() { p.text("cpu") })
	p.int(elements)
	p.op(opTuple)
	p.put()
	p.op(opBinPersID)

	p.int(0)
	p.ints(e.Shape)
	p.ints(contiguous(e.Shape))
	p.op(opNewFalse)
	p.global("collections", "OrderedDict")
	p.op(opEmptyTuple)
	p.op(opReduce)
	p.put()
	p.op(opTuple)
	p.put()
	p.op(opReduce)
	p.put()
	p.tensors++
}

// contiguous returns the strides of a tensor without gaps, in elements, as PyTorch gives them: a size of 0 counts as 1.
func contiguous(shape []int64) []int64 {
	strides := make([]int64, len(shape))
	n := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = n
		n *= max(shape[i], 1)
	}
	return strides
}
