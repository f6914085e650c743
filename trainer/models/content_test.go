package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// The hash of a model is a part of cells' IDs: it must never change.
func TestContent(t *testing.T) {
	m := &Model{ActivationDim: 2, DictSize: 3, K: 1, W: trainer.Params{
		WEnc: []float32{1, 2, 3, 4, 5, 6}, BEnc: []float32{0.5, -0.5, 0},
		WDec: []float32{1, 0, 0, 1, -1, 0}, BDec: []float32{7, 8},
	}}
	body, hash, err := m.Content()
	if err != nil {
		t.Fatal(err)
	}
	const want = "7c7f653d100140d1bd210e4bc6eb4c456109fbf968d9d911f166a413d688ff39"
	if hash != want {
		t.Errorf("hash %s, not %s", hash, want)
	}
	data, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		t.Errorf("the hash is not that of the %d bytes", len(data))
	}
	w, err := ReadContent(bytes.NewReader(data), int64(len(data)), 2, 3)
	if err != nil || !reflect.DeepEqual(w, m.W) {
		t.Errorf("%+v, %v", w, err)
	}

	// What is not weights does not change it, and what is does.
	for _, format := range Formats() {
		other := *m
		threshold := 0.5
		other.K, other.Threshold, other.Names.LMName, other.Scale = 2, &threshold, "x", 3
		again, _, err := Read(folder(t, &other, format))
		if err != nil {
			t.Fatal(err)
		}
		if _, h, err := again.Content(); err != nil || h != hash {
			t.Errorf("through %s: %s, %v", format, h, err)
		}
		again.W.BDec[1] = math.Nextafter32(8, 9)
		if _, h, err := again.Content(); err != nil || h == hash {
			t.Errorf("another b_dec, the same hash (%v)", err)
		}
	}
	broken := *m
	broken.W.BDec = []float32{float32(math.NaN()), 0}
	if _, _, err := broken.Content(); err == nil {
		t.Error("the content of a broken model")
	}

	for _, c := range []struct {
		name string
		data []byte
		d, f int
		want string
	}{
		{"empty", nil, 2, 3, "header"},
		{"cut", data[:len(data)-4], 2, 3, "truncated"},
		{"longer", append(bytes.Clone(data), 0), 2, 3, "left over"},
		{"turned", data, 3, 2, "2"},
		{"wider", data, 4, 3, "2"},
		{"smaller", data, 1, 3, "shape"},
	} {
		_, err := ReadContent(bytes.NewReader(c.data), int64(len(c.data)), c.d, c.f)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v lacks %q", c.name, err, c.want)
		}
	}
}
