package data

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Files that say by themselves what they hold are no bare numbers, under any name, and behind no offset where
// their ending says it.
func TestRawOfOtherFormats(t *testing.T) {
	for _, tt := range []struct{ name, begins string }{
		{"npy-f32/a.npy", "a .npy file"},
		{"safetensors-f32/a.safetensors", "a .safetensors file"},
		{"arrow-file/a.arrow", "an Arrow file"},
		{"arrow-stream/a.arrow", "an Arrow stream"},
		{"parquet-f32/a.parquet", "a Parquet file"},
	} {
		b, err := os.ReadFile(filepath.Join("testdata/formats", tt.name))
		if err != nil {
			t.Fatal(err)
		}
		ending := filepath.Ext(tt.name)
		for name, want := range map[string]string{
			"a.bin": "it begins as " + tt.begins, "a" + ending: "it has the ending " + ending + ": leave out data.raw",
		} {
			for _, offset := range []int64{0, 128} {
				spec := trainer.DataSpec{Source: "m", Raw: &trainer.Raw{DType: "f16", Width: 1, Offset: offset}}
				_, err := openFrom(t.Context(), memory{name: b}, spec, Options{})
				if name == "a.bin" && offset > 0 {
					if err != nil && strings.Contains(err.Error(), "it begins as") {
						t.Errorf("%s as %s behind its header: %v", tt.name, name, err)
					}
				} else if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrBad) {
					t.Errorf("%s as %s at %d: %v", tt.name, name, offset, err)
				}
			}
		}
	}
	// Numbers that look a little alike are bare ones: NaN, and small numbers.
	for _, lead := range []string{"\xff\xff\xff\xff\x10\x00\x00\x00", "\x10\x00\x00\x00\x00\x00\x00\x00",
		"\x10\x00\x00\x00\x00\x00\x00\x00{\"", "\x00\x00\x00\x00\x00\x00\x00\x00{}"} {
		b := append([]byte(lead), make([]byte, 400-len(lead))...)
		raw := trainer.Raw{DType: "f16", Width: 4}
		if _, err := rawLayout("a.bin", raw, bytes.NewReader(b), int64(len(b))); err != nil {
			t.Errorf("%q: %v", lead, err)
		}
	}
}
