package cpu

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// Hardware implements trainer.Model. The paths avx512vnni and avx512 give the same bits, so that they are one class.
func (m *model) Hardware() trainer.Hardware {
	h := trainer.Hardware{Class: "cpu " + m.kern.name}
	switch m.kern.name {
	case "avx512vnni":
		h.Class = "cpu avx512"
	case "portable": // Go's compiler fuses products and sums on some processors
		h.Class += " " + runtime.GOARCH
	}
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
