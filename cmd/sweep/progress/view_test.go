package progress

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

// A lockedBuffer is a buffer to which several goroutines write, as bars do.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// Only bars on a narrow terminal leave out the keys, and say once what they are.
func TestNarrow(t *testing.T) {
	for _, x := range []struct {
		interactive bool
		columns     int
		narrow      bool
	}{
		{true, Wide - 1, true}, {true, Wide, false}, {false, Wide - 1, false},
	} {
		var out lockedBuffer
		header, labels := planOverK()
		NewView(Terminal{Out: &out, Interactive: x.interactive, Columns: x.columns}, header, labels).Close()
		if labels.valuesOnly != x.narrow || strings.HasPrefix(out.b.String(), "runs by k\n") != x.narrow {
			t.Errorf("interactive %t, %d columns: values only is %t, output %q",
				x.interactive, x.columns, labels.valuesOnly, out.b.String())
		}
	}
}

// The percentage is drawn on a terminal only, and removed at the end.
func TestPercent(t *testing.T) {
	var out bytes.Buffer
	scan := Percent(Terminal{Out: &out})
	scan(10, 100)
	scan(100, 100)
	if out.Len() > 0 {
		t.Errorf("no terminal: %q", out.String())
	}
}
