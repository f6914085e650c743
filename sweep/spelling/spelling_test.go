package spelling

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"k", "lr", "dict_size", "decay_start", "batch_size", "steps"}
	for word, want := range map[string]string{
		"dict_szie": "dict_size", "dictsize": "dict_size", "step": "steps", "lrr": "lr", "K": "k", "d": "", "zebra": "",
		"decaystart": "decay_start", "kk": "", "": "", strings.Repeat("decay_start", 6): "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
