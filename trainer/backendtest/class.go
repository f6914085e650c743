package backendtest

import (
	"errors"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// classes checks that a backend is the backend of the class that its models name, and of no other.
func classes(t *testing.T, b trainer.Backend) {
	c := config("corrected")
	own := model(t, b, c, trainer.Init(c), Data(c)).Hardware().Class
	if own == "" {
		t.Fatal("models have no class")
	}
	for _, class := range []string{"", own} {
		if one, err := b.OfClass(class); err != nil || one != b {
			t.Errorf("of class %q: %v, %v", class, one, err)
		}
	}
	if _, err := b.OfClass("no class"); !errors.Is(err, trainer.ErrOtherClass) || !strings.Contains(err.Error(), own) {
		t.Errorf("of another class: %v, want one that wraps ErrOtherClass and names %q", err, own)
	}
}
