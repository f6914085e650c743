package grid

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/spelling"
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
				if before, ok := seen[spelling.Simplify(word)]; ok && row[0] != widthFromData {
					t.Errorf("%s stands for %q and %q", word, before, row[0])
				}
				seen[spelling.Simplify(word)] = row[0]
			}
		}
	}
}
