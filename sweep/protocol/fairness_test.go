package protocol_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Histories and queues hold fairness keys, so they must not change.
func TestFairnessKey(t *testing.T) {
	var got strings.Builder
	for _, id := range []string{
		"", "demo-0a1b2c3d", strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("b", 300) + "-0a1b2c3d",
		strings.Repeat("ä", 32), strings.Repeat("ä", 33), strings.Repeat("→", 30), "a\xff",
	} {
		fmt.Fprintf(&got, "%q = %q\n", id, protocol.FairnessKey(id))
	}
	goldentest.Check(t, "testdata/fairness.txt", []byte(got.String()))
}

func FuzzFairnessKey(f *testing.F) {
	f.Add("demo-0a1b2c3d", strings.Repeat("x", 80))
	f.Add(strings.Repeat("→", 22), strings.Repeat("→", 23))
	f.Fuzz(func(t *testing.T, a, b string) {
		key := protocol.FairnessKey(a)
		if len(key) > 64 || !utf8.ValidString(key) || (key == "") != (a == "") {
			t.Errorf("the key of %q is %q", a, key)
		}
		if a != b && key == protocol.FairnessKey(b) {
			t.Errorf("%q and %q have the key %q", a, b, key)
		}
	})
}
