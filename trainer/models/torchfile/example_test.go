package torchfile_test

import (
	"bytes"
	"fmt"

	"github.com/topksweep/sweep/trainer/models/torchfile"
)

// A file of torch.save is written and read. In Python, torch.load gives {"b_dec": tensor([1., 2.])} for it.
func Example() {
	data := []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40} // 1 and 2 as float32
	f, err := torchfile.NewFile([]torchfile.Entry{
		{Name: "b_dec", DType: "F32", Shape: []int64{2}, Data: bytes.NewReader(data)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := torchfile.Read(f, f.Size())
	if err != nil {
		fmt.Println(err)
		return
	}
	for name, item := range v.(*torchfile.Dict).All() {
		t := item.(*torchfile.Tensor)
		x, err := t.Float32s()
		fmt.Println(name, t, x, err)
	}
	// Output: b_dec F32[2] [1 2] <nil>
}
