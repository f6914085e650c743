//go:build cuda

package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gorgonia.org/cu"
)

// Every result that NVIDIA's header describes as one after which the process must end is one of a broken device. Others
// are not: arguments that are wrong, missing functions, too little memory.
func TestBrokenResults(t *testing.T) {
	headers, _ := filepath.Glob("../../../.cuda/toolkit/1[23]/nvidia/*/include/cuda.h")
	if len(headers) == 0 {
		t.Skip("NVIDIA's headers are not here")
	}
	value := regexp.MustCompile(`(?m)^\s*CUDA_ERROR_[A-Z0-9_]+\s*=\s*(\d+)`)
	for _, header := range headers {
		text, err := os.ReadFile(header)
		if err != nil {
			t.Fatal(err)
		}
		from := 0
		broken := 0
		for _, m := range value.FindAllSubmatchIndex(text, -1) {
			described := strings.Join(strings.Fields(strings.ReplaceAll(string(text[from:m[0]]), "*", " ")), " ")
			from = m[1]
			code, err := strconv.Atoi(string(text[m[2]:m[3]]))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(described, "must be terminated and relaunched") {
				continue
			}
			broken++
			if !Result(code).broken() {
				t.Errorf("%s: %d is not a result of a broken device: %s", header, code, described)
			}
		}
		if broken < 10 {
			t.Errorf("%s: %d results are described as those of a broken device", header, broken)
		}
	}
	for _, code := range []Result{0, 1, 2, 3, 200, 201, 209, 218, 304, 400, 500, 600, 701, 800, 801, 900, 901, 906} {
		if code.broken() {
			t.Errorf("%d is a result of a broken device", int(code))
		}
	}
}

// Errors of package cu count like our own, however they are wrapped.
func TestErrorsOfCU(t *testing.T) {
	for _, c := range []struct {
		err            error
		broken, memory bool
	}{
		{op("free", cu.IllegalAddress), true, false},
		{op("launch", fmt.Errorf("more: %w", cu.EccUncorrectable)), true, false},
		{op("make stream", cu.OutOfMemory), false, true},
		{op("open", cu.InvalidValue), false, false},
		{errors.Join(errors.New("a"), Result(719)), true, false},
		{&OutOfMemory{}, false, true},
		{&Unavailable{"none"}, false, false},
		{nil, false, false},
	} {
		if IsBroken(c.err) != c.broken || IsOutOfMemory(c.err) != c.memory {
			t.Errorf("%v: broken %v, memory %v", c.err, IsBroken(c.err), IsOutOfMemory(c.err))
		}
	}
}
