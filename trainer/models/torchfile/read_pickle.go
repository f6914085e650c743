package torchfile

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// A machine runs a pickle, which is a program for a machine with a stack and a memo. It knows the opcodes that make
// plain values. Each opcode takes time and memory of the size of its own bytes and of what it takes off the stack, so
// that all of them together are bounded by the pickle's length and by maxValues.
type machine struct {
	data  []byte
	at    int
	stack []any
	marks []int // where on the stack the opcode MARK was
	memo  map[uint64]any
	made  int   // values so far
	err   error // the first
	done  bool

	storage func(key string, k kind, dtype string) (*storage, error)
}

// fail keeps the first error.
func (m *machine) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

// run runs the pickle, and returns the object that it leaves.
func (m *machine) run() (any, error) {
	for m.err == nil && !m.done {
		at := m.at
		b := m.take(1)
		if m.err != nil {
			return nil, m.err
		}
		if !m.step(b[0]) {
			return nil, refuse("its opcode %s at byte %d is none that a file of tensors needs; %s",
				opcodeName(b[0]), at, tensorsAlone)
		}
	}
	if m.err != nil {
		return nil, m.err
	}
	if len(m.stack) != 1 || len(m.marks) != 0 {
		return nil, bad("it ends with %d values on its stack instead of one", len(m.stack))
	}
	if m.at != len(m.data) {
		return nil, bad("%d bytes follow its end", len(m.data)-m.at)
	}
	return m.stack[0], nil
}

// step does one opcode. It returns false for one that it does not know.
func (m *machine) step(op byte) bool {
	switch op {
	case opProto:
		if version := m.number(1); version > 5 {
			m.fail(refuse("it has protocol %d, newer than 5", version))
		}
	case opFrame:
		if n := m.number(8); n > uint64(len(m.data)-m.at) {
			m.fail(bad("a frame of %d bytes ends behind its end", n))
		}
	case opStop:
		m.done = true
	case opMark:
		m.mark()
	case opPop:
		// Python's POP takes a mark if one lies on top.
		if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
			m.marks = m.marks[:n-1]
		} else {
			m.pop()
		}
	case opPopMark:
		m.popMark()
	case opGlobal:
		m.pushGlobal(m.line(), m.line())
	case opStackGlobal:
		name, module := m.popText(), m.popText()
		m.pushGlobal(module, name)
	case opReduce:
		args, f := m.popTuple(), m.pop()
		m.call(f, args)
	case opBuild:
		m.build(m.pop())
	case opBinPersID:
		m.pushStorage(m.popTuple())
	default:
		return m.stepScalar(op) || m.stepContainer(op) || m.stepMemo(op)
	}
	return true
}

// stepScalar does the opcodes that push a number, a text or the like.
func (m *machine) stepScalar(op byte) bool {
	switch op {
	case opNone:
		m.push(nil)
	case opNewTrue:
		m.push(true)
	case opNewFalse:
		m.push(false)
	case opBinInt1:
		m.push(int64(m.number(1)))
	case opBinInt2:
		m.push(int64(m.number(2)))
	case opBinInt:
		m.push(int64(int32(m.number(4))))
	case opLong1:
		m.pushLong(m.number(1))
	case opLong4:
		m.pushLong(m.number(4))
	case opBinFloat: // the only number of a pickle that is big-endian
		if b := m.take(8); b != nil {
			m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
	case opShortBinUnicode:
		m.pushText(m.number(1))
	case opBinUnicode:
		m.pushText(m.number(4))
	case opBinUnicode8:
		m.pushText(m.number(8))
	default:
		return false
	}
	return true
}

// stepContainer does the opcodes that make or fill lists, tuples, sets and dicts.
func (m *machine) stepContainer(op byte) bool {
	switch op {
	case opEmptyDict:
		m.push(&Dict{})
	case opEmptyList, opEmptySet:
		m.push(&sequence{grows: true})
	case opEmptyTuple:
		m.push(&sequence{})
	case opTuple1, opTuple2, opTuple3:
		m.push(&sequence{items: m.popN(int(op) - opTuple1 + 1)})
	case opTuple, opFrozenSet:
		m.push(&sequence{items: m.popMark()})
	case opAppend:
		m.extend(m.popN(1))
	case opAppends, opAddItems:
		m.extend(m.popMark())
	case opSetItem:
		m.setItems(m.popN(2))
	case opSetItems:
		m.setItems(m.popMark())
	default:
		return false
	}
	return true
}

// stepMemo does the opcodes that keep the top of the stack in the memo, or fetch from it.
func (m *machine) stepMemo(op byte) bool {
	switch op {
	case opBinPut:
		m.put(m.number(1))
	case opLongBinPut:
		m.put(m.number(4))
	case opMemoize:
		m.put(uint64(len(m.memo)))
	case opBinGet:
		m.get(m.number(1))
	case opLongBinGet:
		m.get(m.number(4))
	default:
		return false
	}
	return true
}

// take returns the next n bytes, or nil.
func (m *machine) take(n uint64) []byte {
	if m.err != nil {
		return nil
	}
	if n > uint64(len(m.data)-m.at) {
		m.fail(bad("it ends in the middle of a value of %d bytes", n))
		return nil
	}
	b := m.data[m.at : m.at+int(n)]
	m.at += int(n)
	return b
}

// number returns the next n bytes as a number, or 0.
func (m *machine) number(n uint64) uint64 {
	var word [8]byte
	copy(word[:], m.take(n))
	return binary.LittleEndian.Uint64(word[:])
}

// line returns the text up to the next end of a line.
func (m *machine) line() string {
	if m.err != nil {
		return ""
	}
	n := bytes.IndexByte(m.data[m.at:], '\n')
	if n < 0 {
		m.fail(bad("it ends in the middle of a name"))
		return ""
	}
	s := string(m.data[m.at : m.at+n])
	m.at += n + 1
	return s
}

// count counts a value.
func (m *machine) count() {
	if m.made++; m.made > maxValues {
		m.fail(refuse("it makes more than %d values; %s", maxValues, tensorsAlone))
	}
}

func (m *machine) push(v any) {
	if m.count(); m.err == nil {
		m.stack = append(m.stack, v)
	}
}

// pushText pushes the next n bytes as a text.
func (m *machine) pushText(n uint64) {
	b := m.take(n)
	if m.err == nil && !utf8.Valid(b) {
		m.fail(bad("it has a text that is not UTF-8: %s", clip(string(b))))
	}
	m.push(string(b))
}

// pushLong pushes the next n bytes as a signed number.
func (m *machine) pushLong(n uint64) {
	b := m.take(n)
	if n > 8 && m.err == nil {
		m.fail(refuse("it has a whole number of %d bytes, more than the 8 that are read; %s", n, tensorsAlone))
	}
	if m.err != nil {
		return
	}
	v := int64(0)
	for i, x := range b {
		v |= int64(x) << (8 * i)
	}
	if shift := 64 - 8*len(b); len(b) > 0 {
		v = v << shift >> shift // the last bit is the sign
	}
	m.push(v)
}

func (m *machine) mark() {
	if len(m.marks) > 2*maxDepth {
		m.fail(tooDeep())
		return
	}
	m.marks = append(m.marks, len(m.stack))
}

// need fails unless n values lie above the last mark of the stack.
func (m *machine) need(n int) {
	floor := 0
	if len(m.marks) > 0 {
		floor = m.marks[len(m.marks)-1]
	}
	if len(m.stack)-n < floor {
		m.fail(bad("its stack has too few values"))
	}
}

// popN takes the last n values off the stack.
func (m *machine) popN(n int) []any {
	if m.need(n); m.err != nil {
		return make([]any, n)
	}
	return m.cut(len(m.stack) - n)
}

// popMark takes the values above the last mark off the stack.
func (m *machine) popMark() []any {
	n := len(m.marks) - 1
	if m.err != nil || n < 0 {
		m.fail(bad("its stack has no mark"))
		return nil
	}
	at := m.marks[n]
	m.marks = m.marks[:n]
	return m.cut(at)
}

// cut takes the values from index at on off the stack.
func (m *machine) cut(at int) []any {
	values := make([]any, len(m.stack)-at)
	copy(values, m.stack[at:])
	clear(m.stack[at:])
	m.stack = m.stack[:at]
	return values
}

func (m *machine) pop() any { return m.popN(1)[0] }

func (m *machine) popText() string {
	s, ok := m.pop().(string)
	if !ok {
		m.fail(bad("the name of a global is not a text"))
	}
	return s
}

// popTuple takes the arguments of a call, or the parts of a persistent ID.
func (m *machine) popTuple() []any {
	v := m.pop()
	s, ok := v.(*sequence)
	if !ok || s.grows {
		m.fail(bad("it has %s where a tuple must be", nameOf(v)))
		return nil
	}
	return s.items
}

// top returns the top of the stack, which must lie above the last mark.
func (m *machine) top() any {
	if m.need(1); m.err != nil {
		return nil
	}
	return m.stack[len(m.stack)-1]
}

// extend appends to the list or set on top of the stack.
func (m *machine) extend(items []any) {
	v := m.top()
	s, ok := v.(*sequence)
	if !ok || !s.grows {
		m.fail(bad("it appends to %s", nameOf(v)))
		return
	}
	s.items = append(s.items, items...)
}

// setItems adds keys and values by turns to the dict on top of the stack.
func (m *machine) setItems(items []any) {
	v := m.top()
	d, ok := v.(*Dict)
	if !ok || len(items)%2 != 0 {
		m.fail(bad("it adds %d keys and values to %s", len(items), nameOf(v)))
	}
	for i := 0; i < len(items) && m.err == nil; i += 2 {
		if err := d.set(items[i], items[i+1]); err != nil {
			m.fail(err)
		}
	}
}

func (m *machine) put(key uint64) {
	v := m.top()
	if _, ok := m.memo[key]; !ok {
		m.count()
	}
	if m.err == nil {
		m.memo[key] = v
	}
}

func (m *machine) get(key uint64) {
	v, ok := m.memo[key]
	if !ok {
		m.fail(bad("its memo has no number %d", key))
	}
	m.push(v)
}
