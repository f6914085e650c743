package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// memory is an opener of byte slices.
type memory map[string][]byte

func (m memory) List(context.Context, string, bool) (listing, error) {
	return listing{names: slices.Sorted(maps.Keys(m))}, nil
}

func (m memory) readFile(name string, most int64) ([]byte, error) { return readSmall(name, most) }

func (m memory) Open(_ context.Context, name string) (shardFile, error) {
	b, ok := m[name]
	if !ok {
		return nil, fileError(name, fs.ErrNotExist)
	}
	return memoryFile{bytes.NewReader(b), m, name}, nil
}

type memoryFile struct {
	*bytes.Reader
	files memory
	name  string
}

func (memoryFile) Close() error                 { return nil }
func (f memoryFile) stamp() stamp               { return stamp{Size: f.Size()} }
func (f memoryFile) Stat() (fs.FileInfo, error) { return memoryInfo(len(f.files[f.name])), nil }

// memoryInfo is the size of a file in memory.
type memoryInfo int64

func (i memoryInfo) Name() string     { return "" }
func (i memoryInfo) Size() int64      { return int64(i) }
func (memoryInfo) Mode() fs.FileMode  { return 0o600 }
func (memoryInfo) ModTime() time.Time { return time.Time{} }
func (memoryInfo) IsDir() bool        { return false }
func (memoryInfo) Sys() any           { return nil }

func (m memory) open(t testing.TB, spec trainer.DataSpec) *Set {
	t.Helper()
	spec.Source = "memory"
	return openWith(t, m, spec, Options{})
}

func open(t testing.TB, spec trainer.DataSpec, o Options) *Set {
	t.Helper()
	return openWith(t, newFiles(spec, o.filled()), spec, o)
}

func openWith(t testing.TB, files opener, spec trainer.DataSpec, o Options) *Set {
	t.Helper()
	s, err := openFrom(t.Context(), files, spec, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// readRows fills x_nD with n rows from row on: what ReadStored says of them, widened and scaled.
func readRows(s *Set, row int64, x []float32) error {
	n, f := len(x)/s.Dim(), s.Format()
	numbers := make([]int64, n)
	for i := range numbers {
		numbers[i] = row + int64(i)
	}
	b := make([]byte, len(x)*f.Type.Bytes())
	err := s.ReadStored(numbers, b)
	t := map[trainer.NumberType]dtype{trainer.F32: f32, trainer.F16: f16, trainer.BF16: bf16}[f.Type]
	for i := range x {
		bits := uint32(b[len(b)/len(x)*i]) | uint32(b[len(b)/len(x)*i+1])<<8
		if f.Type == trainer.F32 {
			bits = binary.LittleEndian.Uint32(b[4*i:])
		}
		x[i] = t.number(bits) * f.Scale
	}
	return err
}

// tensorFile returns a safetensors file of one F32 tensor, with rows of width dim.
func tensorFile(t testing.TB, dim int, values []float32) []byte {
	shape := []int64{int64(len(values) / dim), int64(dim)}
	return tensorFileOf(t, []safetensors.Tensor{{Name: "activations", DType: "F32", Shape: shape}}, values)
}

func tensorFileOf(t testing.TB, tensors []safetensors.Tensor, values []float32) []byte {
	t.Helper()
	b, err := safetensors.EncodeHeader(tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func npyFile(header string, data []byte) []byte {
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	return append(append(b, header...), data...)
}

// numbered returns rows [rows,dim], numbered from first: column j of row r is r + j/dim.
func numbered(first, rows, dim int) []float32 {
	x := make([]float32, rows*dim)
	for i := range x {
		x[i] = float32(first+i/dim) + float32(i%dim)/float32(dim)
	}
	return x
}

func write(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// failing is a shardFile whose reads fail after the first left ones.
type failing struct {
	shardFile
	left *int
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if *f.left--; *f.left < 0 {
		return 0, fmt.Errorf("read at %d: %w", off, errDisk)
	}
	return f.shardFile.ReadAt(p, off)
}

var errDisk = io.ErrClosedPipe // any error that is not of this package

type failingOpener struct {
	opener
	left *int
}

func (o failingOpener) Open(ctx context.Context, name string) (shardFile, error) {
	f, err := o.opener.Open(ctx, name)
	return failing{f, o.left}, err
}

// tensors describes a shard of one tensor.
func tensors(rows, dim int64, dt, name string) []safetensors.Tensor {
	return []safetensors.Tensor{{Name: name, DType: dt, Shape: []int64{rows, dim}}}
}
