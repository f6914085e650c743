package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/topksweep/sweep/sweep/table"
)

// openTerminal returns both sides of a terminal of some columns.
func openTerminal(t *testing.T, columns int) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { user.Close() })
	fd := int(user.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	size := &unix.Winsize{Row: 24, Col: uint16(columns)}
	if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, size); err != nil {
		t.Fatal(err)
	}
	return user, program
}

// onTerminal returns what the program prints on a terminal of some columns.
func onTerminal(t *testing.T, columns int, args ...string) string {
	t.Helper()
	user, side := openTerminal(t, columns)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var errOut bytes.Buffer
	c := exec.CommandContext(t.Context(), exe, args...)
	c.Stdout, c.Stderr = side, &errOut
	c.Env = append(os.Environ(), asMain+"=1", "SWEEP_DIR="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	side.Close()
	out, _ := io.ReadAll(user) // it ends in an error when the program closes its side
	if err := c.Wait(); err != nil {
		t.Fatalf("sweep %s: %v\n%s", strings.Join(args, " "), err, &errOut)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n")
}

// What the program prints on a terminal is as wide as that, and in a file it is whole.
func TestTerminalWidth(t *testing.T) {
	t.Parallel()
	results := []string{"results", "../../examples/scaling/results.parquet"}
	minilm := "../../trainer/data/testdata/minilm-l3"
	for _, columns := range []int{60, 80, 200} {
		for _, args := range [][]string{
			results, append(results, "--all-columns"), append(results, "--columns", "cell,k,nmse,flops,status,data"),
			append(results, "--group-by", "k,dict_size", "--over", "seed,lr"),
			append(results, "--pivot", "k,dict_size", "--over", "seed,lr"),
			{"fit", results[1]}, {"predict", results[1], "--k", "32", "--dict-size", "1024"},
			{"data", "inspect", minilm, "--eval-tokens", "500"},
		} {
			got := onTerminal(t, columns, args...)
			for line := range strings.Lines(got) {
				line = strings.TrimSuffix(line, "\n")
				if table.Width(line) > columns && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%d columns, %q: %q has %d", columns, args, line, table.Width(line))
				}
			}
		}
	}
	narrow := onTerminal(t, 60, results...)
	if !strings.HasPrefix(narrow, "all runs: ") || !strings.Contains(narrow, "left out: ") {
		t.Errorf("on 60 columns:\n%s", narrow)
	}
	file := mustRun(t, t.TempDir(), append(results, "-o", "table")...)
	if strings.Contains(file, "all runs") || !strings.Contains(file, " alive_fraction ") {
		t.Errorf("in a file:\n%s", file)
	}
}
