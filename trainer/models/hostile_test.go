package models

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/topksweep/sweep/trainer/models/torchfile"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// What a header claims is checked before memory is taken: these files are far larger than what lies on the disk.
func TestClaims(t *testing.T) {
	for want, shapes := range map[string][4][]int64{ // W_dec, b_dec, encoder.bias, encoder.weight
		"not one axis":                  {{1 << 39}, {}, {}, {}},
		"the shape [549755813888]":      {{1 << 39}, {8}, {32}, {32, 8}},
		"the shape [536870912 1024]":    {{32, 8}, {8}, {32}, {1 << 29, 1 << 10}},
		"1073741824 latents":            {{1, 8}, {8}, {1 << 30}, {1, 8}},
		"not [32 8] as the others":      {{8, 32}, {8}, {32}, {32, 8}},
		"take 2097157 MiB of memory":    {{1 << 20, 1 << 18}, {1 << 18}, {1 << 20}, {1 << 20, 1 << 18}},
		"the shape [1 1 1 1 1 1 1 1 1 ": {make([]int64, 100_000), {8}, {32}, {32, 8}},
	} {
		if strings.Contains(want, "memory") && memory() > 1<<40 {
			continue
		}
		for i := range shapes[0] {
			shapes[0][i] = max(1, shapes[0][i])
		}
		var tensors []safetensors.Tensor
		for i, name := range []string{"W_dec", "b_dec", "encoder.bias", "encoder.weight"} {
			tensors = append(tensors, safetensors.Tensor{Name: name, DType: "F32", Shape: shapes[i]})
		}
		head, err := safetensors.EncodeHeader(tensors, nil)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		weights := filepath.Join(dir, sparsifyWeights)
		if err := os.WriteFile(weights, head, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, toolsConfig), []byte(`{"k": 4}`), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(weights, int64(len(head))+tensors[3].End); err != nil {
			t.Skipf("a file with holes: %v", err)
		}
		if _, _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 2*maxError {
			t.Errorf("%.100s: %.300v", want, err)
		}
	}
}

// The tensors k and threshold say what is wrong with them.
func TestBadDictNumbers(t *testing.T) {
	tensor := func(key string, shape []int64, dtype string, numbers ...float64) torchfile.Entry {
		var b []byte
		for _, x := range numbers {
			switch dtype {
			case "I64":
				b = binary.LittleEndian.AppendUint64(b, uint64(int64(x)))
			default:
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
			}
		}
		return torchfile.Entry{Name: key, DType: dtype, Shape: shape, Data: bytes.NewReader(b)}
	}
	for want, last := range map[string]torchfile.Entry{
		"the tensor k is 3, no whole number from 1 to 1":         tensor("k", nil, "I64", 3),
		"the tensor k is 0, no whole number from 1 to 1":         tensor("k", nil, "I64", 0),
		"the tensor k: a tensor of F32 does not":                 tensor("k", nil, "F32", 1),
		"the tensor k has the shape [2], not one number":         tensor("k", []int64{2}, "I64", 1, 1),
		"the tensor threshold is NaN, no finite number":          tensor("threshold", nil, "F32", math.NaN()),
		"the tensor threshold: a tensor of I64":                  tensor("threshold", nil, "I64", 1),
		"the tensor threshold has the shape [0], not one number": tensor("threshold", []int64{0}, "F32"),
	} {
		file, err := torchfile.NewFile([]torchfile.Entry{
			tensor("encoder.weight", []int64{1, 1}, "F32", 1), tensor("encoder.bias", []int64{1}, "F32", 0),
			tensor("decoder.weight", []int64{1, 1}, "F32", 1), tensor("b_dec", []int64{1}, "F32", 0), last,
		})
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, file.Size())
		if _, err := file.ReadAt(data, 0); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		fsys := fstest.MapFS{dictWeights: {Data: data}, dictConfig: {Data: []byte(`{"trainer": {"k": 1}}`)}}
		if _, _, err := Read(fsys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestCardText(t *testing.T) {
	if got := cardText("a\x1b[31m\n|\u202e\xff é"); got != "a\ufffd\\[31m \\|\ufffd\ufffd é" {
		t.Errorf("%q", got)
	}
}

// A number that has changed in one of a folder's files is found by the other.
func TestAgree(t *testing.T) {
	good := folder(t, small(8, 32, 4), Sparsify, DictionaryLearning)
	m, _, err := Read(good)
	if err != nil || Agree(good, m) != nil || Agree(fstest.MapFS{}, m) != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{sparsifyWeights: "other weights", dictWeights: "checksum"} {
		b := bytes.Clone(good[file].Data)
		number := binary.LittleEndian.AppendUint32(nil, math.Float32bits(m.W.WEnc[100]))
		b[bytes.Index(b, number)] ^= 1
		bad := fstest.MapFS{}
		for name, f := range good {
			bad[name] = f
		}
		bad[file] = &fstest.MapFile{Data: b}
		m, _, err := Read(bad)
		if err != nil {
			t.Fatal(err)
		}
		if err := Agree(bad, m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Every one of the four tensors is compared.
func TestAgreeOnEachTensor(t *testing.T) {
	good := folder(t, small(8, 32, 4), Sparsify, DictionaryLearning)
	m, _, err := Read(good)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range [][]float32{m.W.WEnc, m.W.BEnc, m.W.WDec, m.W.BDec} {
		was := v[len(v)-1]
		v[len(v)-1]++
		if err := Agree(good, m); err == nil || !strings.Contains(err.Error(), "other weights") {
			t.Errorf("tensor %d: %v", i, err)
		}
		v[len(v)-1] = was
	}
	if err := Agree(good, m); err != nil {
		t.Error(err)
	}
}
