package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRoundTrip(t *testing.T) {
	in := []Tensor{
		{Name: "w", DType: "F32", Shape: []int64{3, 5}},
		{Name: "scalar", DType: "F32"},
		{Name: "empty", DType: "I64", Shape: []int64{0}},
		{Name: "a", DType: "BF16", Shape: []int64{7}},
	}
	head, err := EncodeHeader(in, map[string]string{"format": "pt", "b": "\"quoted\""})
	if err != nil {
		t.Fatal(err)
	}
	if len(head)%8 != 0 {
		t.Errorf("data begins at %d, not a multiple of 8", len(head))
	}
	file := append(bytes.Clone(head), make([]byte, in[len(in)-1].End)...)
	h, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range in {
		got, ok := h.Tensor(want.Name)
		want.Shape = nonNil(want.Shape)
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("tensor %s: got %+v, want %+v", want.Name, got, want)
		}
	}
	if h.DataStart != int64(len(head)) || h.Metadata["b"] != "\"quoted\"" {
		t.Errorf("DataStart %d, metadata %v", h.DataStart, h.Metadata)
	}
	second, _ := EncodeHeader(in, map[string]string{"b": "\"quoted\"", "format": "pt"})
	if !bytes.Equal(head, second) {
		t.Error("equal input gave other bytes")
	}
}

// overlap is a header of two tensors that share a byte.
const overlap = `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},` +
	`"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`

// file returns a file with that header and data zeros of data.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestBadFiles(t *testing.T) {
	huge := binary.LittleEndian.AppendUint64(nil, 1<<62)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":           {nil, "too few"},
		"hostile length":  {append(huge, "{}"...), "length"},
		"no json":         {file("{", 0), "header"},
		"unknown dtype":   {file(`{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}`, 4), "dtype"},
		"truncated":       {file(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 12), "truncated"},
		"left over":       {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 5), "left over"},
		"negative shape":  {file(`{"a":{"dtype":"F32","shape":[-1,-4],"data_offsets":[0,16]}}`, 16), "shape"},
		"shape overflow":  {file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "shape"},
		"shape and bytes": {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "do not hold"},
		"gap":             {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "begins at"},
		"overlap":         {file(overlap, 3), "begins at"},
	} {
		_, err := ReadHeader(bytes.NewReader(c.data), int64(len(c.data)))
		if !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// An error of the reader is not one of the format, and passes as it is.
func TestReadErrors(t *testing.T) {
	good := file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2)
	header := len(good) - 2
	for n := range header {
		for name, c := range map[string]struct {
			r    io.Reader
			want error
		}{
			"short":  {bytes.NewReader(good[:n]), io.ErrUnexpectedEOF},
			"broken": {io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(io.ErrClosedPipe)), io.ErrClosedPipe},
		} {
			if _, err := ReadHeader(c.r, int64(len(good))); !errors.Is(err, c.want) || errors.Is(err, ErrFormat) {
				t.Errorf("%s after %d bytes: %v", name, n, err)
			}
		}
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzReadHeader(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"k":"v"}}`, 4))
	f.Add(file(overlap, 3))
	f.Add([]byte{})
	f.Add(append(binary.LittleEndian.AppendUint64(nil, MaxHeader-1), "{}"...))
	f.Add(file(`{"a":{"dtype":"F64","shape":[1152921504606846975],"data_offsets":[0,9223372036854775800]}}  `, 8))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h *Header
		var err error
		size := int64(len(data))
		if size > 0 && data[0]&1 == 1 {
			size = math.MaxInt64 // the size that a store gives may be wrong too
		}
		// The memory taken depends on the bytes that are there, not on what a header claims.
		if n := allocated(func() { h, err = ReadHeader(bytes.NewReader(data), size) }); n > 1<<20+256*uint64(len(data)) {
			t.Fatalf("%d bytes allocated for a file of %d", n, len(data))
		}
		if err != nil {
			return
		}
		for _, x := range h.Tensors {
			if x.Begin < 0 || h.DataStart+x.End > int64(len(data)) || x.Elems()*DTypeSize(x.DType) != x.End-x.Begin {
				t.Fatalf("tensor outside its file: %+v", x)
			}
		}
	})
}
