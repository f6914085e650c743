package trainer

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// recordedFields are the fields that every cell's ID has hashed from the first version on.
const recordedFields = "recipe activation_dim dict_size k auxk_alpha k_aux decay_start steps batch_size lr " +
	"warmup_steps threshold_start_step threshold_beta dead_feature_threshold seed precision"

// A field that is added to Config must not change the IDs of stored cells.
func TestAddedFields(t *testing.T) {
	if bad := changingIDs(reflect.TypeFor[Config]()); len(bad) > 0 {
		t.Errorf("Config: %q change the ID of every stored cell: a field that is added is a number with the default 0 "+
			"or a file with the default none, and has omitzero in its json tag", bad)
	}
}

// changingIDs returns the keys of a struct like Config that are not recorded and are hashed at their default.
func changingIDs(of reflect.Type) (bad []string) {
	recorded := strings.Fields(recordedFields)
	for i, f := range fieldsOf(of) {
		_, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		zero := f.Default == "0" && f.Kind != Word && f.Kind != File && !f.Auto || f.Default == NoFile && f.Kind == File
		leftOut := options == "omitzero" && zero
		if !slices.Contains(recorded, f.Key) && !leftOut {
			bad = append(bad, f.Key)
		}
	}
	return bad
}

// TestAddedFields finds what it is there to find.
func TestChangingIDs(t *testing.T) {
	type later struct {
		K     int     `json:"k" default:"100"`
		Good  int     `json:"good,omitzero" default:"0"`
		Plain int     `json:"plain" default:"0"`
		One   int     `json:"one,omitzero" default:"1"`
		Auto  float64 `json:"auto,omitzero" default:"auto" auto:"true"`
		Word  string  `json:"word,omitzero" default:"a" oneof:"a b"`
		File  string  `json:"file,omitzero" default:"none" file:"true"`
		Other string  `json:"other,omitzero" default:"none" oneof:"none some"`
		Path  string  `json:"path" default:"none" file:"true"`
	}
	of := reflect.TypeFor[later]()
	if got, want := changingIDs(of), []string{"plain", "one", "auto", "word", "other", "path"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if key := fieldsOf(of)[1].Key; key != "good" {
		t.Errorf("key %q, want good", key)
	}
}
