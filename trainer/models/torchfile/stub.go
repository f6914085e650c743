package torchfile

import (
	"errors"
	"io"
)

type Value any
type List []Value
type Item struct{ Key, Value Value }
type Dict struct{ items []Item }

func (d *Dict) Get(key string) (Value, bool) { return nil, false }
func (d *Dict) Len() int                     { return len(d.items) }
func (d *Dict) Items() []Item                { return d.items }

type Tensor struct {
	DType         string
	Shape, Stride []int64
}

func (t *Tensor) Float32s() ([]float32, error) { return nil, errors.New("torchfile: not written yet") }
func (t *Tensor) Int64s() ([]int64, error)     { return nil, errors.New("torchfile: not written yet") }
func Read(r io.ReaderAt, size int64) (Value, error) {
	return nil, errors.New("torchfile: not written yet")
}
