package torchfile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"unicode/utf8"
)

// An Entry is a tensor to write, under its key in the dict.
type Entry struct {
	Name  string
	DType string  // as safetensors names it: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL
	Shape []int64 // none: a single number, which PyTorch calls a tensor of no dimensions

	// Data holds the elements: little-endian, the last index fastest, without gaps. It must stay as it is while the
	// file is in use.
	Data io.ReaderAt
}

// A File is a file as torch.save writes it for a dict of tensors. Equal entries give equal bytes. The tensors are not
// copied: they are read where they lie. Many goroutines may read a File at once if they may read the entries' Data.
type File struct {
	parts []part // without gaps, in order
	size  int64
}

// A part is a stretch of a file: bytes of its own, or those of a tensor.
type part struct {
	begin, end int64 // in the file
	bytes      []byte
	data       io.ReaderAt
}

// maxEntries is how many tensors a file may have.
const maxEntries = 1 << 15

// NewFile lays out a file that torch.load reads as a dict of these tensors, in this order. It reads all data once, for
// the checksums of the zip archive.
func NewFile(entries []Entry) (*File, error) {
	return newFile(entries, checksum)
}

// newFile is NewFile with sum for the CRC-32 of an entry's size bytes.
func newFile(entries []Entry, sum func(e Entry, size int64) (uint32, error)) (*File, error) {
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("write a file of torch: %d tensors are more than %d", len(entries), maxEntries)
	}
	seen := map[string]bool{}
	sizes := make([]int64, len(entries))
	for i, e := range entries {
		if seen[e.Name] {
			return nil, fmt.Errorf("write a file of torch: two tensors have the name %q", e.Name)
		}
		seen[e.Name] = true
		var err error
		if sizes[i], err = e.size(); err != nil {
			return nil, fmt.Errorf("write a file of torch: tensor %q: %w", e.Name, err)
		}
	}
	w := &zipWriter{}
	w.add("data.pkl", pickleDict(entries, sizes))
	w.add(".format_version", []byte("1"))
	w.add(".storage_alignment", []byte(strconv.Itoa(alignment)))
	w.add("byteorder", []byte("little"))
	for i, e := range entries {
		crc, err := sum(e, sizes[i])
		if err != nil {
			return nil, fmt.Errorf("write a file of torch: tensor %q: %w", e.Name, err)
		}
		w.addData("data/"+strconv.Itoa(i), e.Data, sizes[i], crc)
	}
	w.add("version", []byte("3\n"))
	return w.finish()
}

// size returns the bytes that the elements take.
func (e Entry) size() (int64, error) {
	if e.Name == "" || !utf8.ValidString(e.Name) {
		return 0, errors.New("the name must be a text in UTF-8 that is not empty")
	}
	kind, ok := kinds[e.DType]
	if !ok || kind.storage == "" {
		return 0, fmt.Errorf("dtype %q is unknown", e.DType)
	}
	n, err := elements(e.Shape)
	if err != nil {
		return 0, err
	}
	if n > maxBytes/kind.size {
		return 0, fmt.Errorf("shape %v is too large", e.Shape)
	}
	if e.Data == nil && n > 0 {
		return 0, errors.New("it has no data")
	}
	return n * kind.size, nil
}

// elements returns the product of a shape.
func elements(shape []int64) (int64, error) {
	if len(shape) > maxDims {
		return 0, fmt.Errorf("a tensor of %d dimensions has more than %d", len(shape), maxDims)
	}
	n := int64(1)
	empty := false
	for _, s := range shape {
		switch {
		case s < 0:
			return 0, fmt.Errorf("shape %v has a negative size", shape)
		case s == 0:
			empty = true
		case n > math.MaxInt64/s:
			return 0, fmt.Errorf("shape %v is too large", shape)
		default:
			n *= s
		}
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// Size returns the length of the file in bytes.
func (f *File) Size() int64 { return f.size }

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d: negative offset", off)
	}
	i := sort.Search(len(f.parts), func(i int) bool { return f.parts[i].end > off })
	for ; i < len(f.parts) && n < len(p); i++ {
		at := off + int64(n) - f.parts[i].begin
		room := f.parts[i].end - f.parts[i].begin - at
		want := p[n:]
		if int64(len(want)) > room {
			want = want[:room]
		}
		if f.parts[i].data == nil {
			n += copy(want, f.parts[i].bytes[at:])
			continue
		}
		m, err := f.parts[i].data.ReadAt(want, at)
		n += m
		if m < len(want) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, fmt.Errorf("read a tensor at byte %d: %w", at+int64(m), err)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
