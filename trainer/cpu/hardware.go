package cpu

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// classOf returns the class of an instruction path (trainer.Hardware.Class). The paths avx512vnni and avx512 give the
// same bits, so that they are one class.
func classOf(path string) string {
	switch path {
	case "avx512vnni":
		return "cpu avx512"
	case "portable": // Go's compiler fuses products and sums on some processors
		return "cpu portable " + runtime.GOARCH
	}
	return "cpu " + path
}

// OfClass implements trainer.Backend.
func (b backend) OfClass(class string) (trainer.Backend, error) {
	kern, err := kernelsFor(os.Getenv(PathVariable))
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if own := classOf(kern.name); class != "" && class != own {
		return nil, fmt.Errorf("%w: want %s, this is %s", trainer.ErrOtherClass, class, own)
	}
	return b, nil
}

// Hardware implements trainer.Model.
func (m *model) Hardware() trainer.Hardware {
	h := trainer.Hardware{Class: classOf(m.kern.name)}
	if f, err := os.Open("/proc/cpuinfo"); err == nil { // Linux alone has it
		defer f.Close()
		h.Device = processorName(f)
	}
	return h
}

// processorName reads the name of the first processor from the text of /proc/cpuinfo, or returns "" where it has none.
// ARM's processors have none there.
func processorName(r io.Reader) string {
	for s := bufio.NewScanner(r); s.Scan(); {
		key, name, ok := strings.Cut(s.Text(), ":")
		if ok && strings.TrimSpace(key) == "model name" {
			return trainer.PlainName(name)
		}
	}
	return ""
}
