package data

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNpyHeader(t *testing.T) {
	for _, tt := range []struct {
		header, bad string
		shape       []int64
	}{
		{header: "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }     \n", shape: []int64{2, 3}},
		{header: `{"shape":(2,3),"fortran_order":False,"descr":"<f4"}`, shape: []int64{2, 3}},
		{header: "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}", shape: []int64{2, 3}},
		{header: "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", shape: []int64{6}},
		{header: "{'descr': '<f4', 'fortran_order': True, 'shape': ()}", shape: nil},
		{header: "", bad: "no {"},
		{header: "{}", bad: "missing"},
		{header: "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", bad: "no }"},
		{header: "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} 1", bad: "text after its end"},
		{header: "{'descr': '<f4', 'descr': '<f4', 'shape': (2, 3)}", bad: "twice"},
		{header: "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}", bad: "no False"},
		{header: "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}", bad: "no size"},
		{header: "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3)}", bad: "no size"},
		{header: "{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}", bad: "no ("},
		{header: "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", bad: "no plain text"},
		{header: "{'descr': '<f4', 'order': 'C', 'shape': (2, 3)}", bad: `unknown key "order"`},
	} {
		b := npyFile(tt.header, nil)
		h, err := readNpy(bytes.NewReader(b), int64(len(b)))
		if tt.bad != "" {
			if err == nil || !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("%s: %v, want %q", tt.header, err, tt.bad)
			}
			continue
		}
		if err != nil || h.descr != "<f4" || !slices.Equal(h.shape, tt.shape) || h.start != int64(len(b)) {
			t.Errorf("%s: %+v, %v", tt.header, h, err)
		}
	}
}

func FuzzNpy(f *testing.F) {
	for _, dims := range []string{"(2, 3)", "(0, 3)", "(9223372036854775807, 9223372036854775807)", "()"} {
		f.Add(npyFile(fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n", dims), make([]byte, 24)))
	}
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readNpy(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		l, err := h.layout(int64(len(b)))
		if err == nil && l.start+l.bytes() != int64(len(b)) {
			t.Fatalf("rows end at %d of %d bytes: %+v", l.start+l.bytes(), len(b), l)
		}
	})
}
