package grid

import (
	"strings"
	"testing"
)

// TestForeignKeys checks the tables of other tools' keys: each suggested key exists, and no word has two suggestions.
func TestForeignKeys(t *testing.T) {
	known := map[string]bool{}
	for _, k := range knownKeys() {
		known[k.key] = true
	}
	known["activation_dim"] = true
	for word, s := range foreignKeys() {
		for _, k := range s.keys {
			if !known[k] {
				t.Errorf("%s leads to %s, which is not a key", word, k)
			}
		}
	}
	seen := map[string]string{}
	for _, table := range [][][2]string{synonyms(), explanations()} {
		for _, row := range table {
			for word := range strings.FieldsSeq(row[1]) {
				if before, ok := seen[simplify(word)]; ok && row[0] != widthFromData {
					t.Errorf("%s stands for %q and %q", word, before, row[0])
				}
				seen[simplify(word)] = row[0]
			}
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"k", "lr", "dict_size", "decay_start", "batch_size", "steps"}
	for word, want := range map[string]string{
		"dict_szie": "dict_size", "dictsize": "dict_size", "step": "steps", "lrr": "lr", "K": "k", "d": "", "zebra": "",
		"decaystart": "decay_start", "kk": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
