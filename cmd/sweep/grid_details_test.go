package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/ledger"
)

// The Web UI shows the grid as it was extended, as far as there is room, and else where the grids lie.
func TestDetailsOfExtended(t *testing.T) {
	first := []byte("name: x\n")
	if got := gridDetails("x-1", first); got != "```yaml\nname: x\n```" {
		t.Errorf("not extended:\n%s", got)
	}
	got := gridDetails("x-1", first, ledger.Extension{Cells: 4, Grid: []byte("k: [8]\n")}, ledger.Extension{Cells: 6})
	want := "```yaml\nname: x\n```\n\nExtended by:\n\n```yaml\nk: [8]\n```\n\n" +
		"Extended by a grid in the store: `sweeps/x-1/extension-000006.yaml`"
	if got != want {
		t.Errorf("extended:\n%s\nwant\n%s", got, want)
	}
	long := []byte(strings.Repeat("<", 3000)) // 18,000 bytes of JSON
	got = gridDetails("x-1", long, ledger.Extension{Cells: 4, Grid: long}, ledger.Extension{Cells: 6, Grid: first})
	for _, part := range []string{"yaml\n<<", "extension-000004.yaml`", "```yaml\nname: x\n```"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}
	for _, n := range []int{10, 2000, 1 << 20} {
		for _, many := range []int{0, 1, 7, 1000} {
			src := []byte(strings.Repeat("\"<&>`\n", n/6))
			var extensions []ledger.Extension
			for i := range many {
				extensions = append(extensions, ledger.Extension{Cells: i + 1, Grid: src})
			}
			got := gridDetails("x-1", src, extensions...)
			if b, err := json.Marshal(got); err != nil || len(b) > maxDetails {
				t.Errorf("%d grids of %d bytes: %d bytes of details, %v", many+1, n, len(b), err)
			}
			if many > 0 && !strings.Contains(got, "Extended by") {
				t.Errorf("%d grids of %d bytes: not extended:\n%.200s", many+1, n, got)
			}
		}
	}
}

// Nothing in a grid ends the block in which it is shown.
func TestFence(t *testing.T) {
	for _, src := range []string{"a", "```", "# ```\n<b>", "`````x", "x``y````", "", "\xff```", strings.Repeat("`", 50)} {
		got := fenced([]byte(src))
		fence, rest, _ := strings.Cut(got, "yaml\n")
		body, ok := strings.CutSuffix(rest, "\n"+fence)
		fences := strings.Trim(fence, "`") == "" && len(fence) >= 3 && !strings.Contains(body, fence)
		if !ok || !fences || !utf8.ValidString(got) {
			t.Errorf("%q is shown as %q", src, got)
		}
	}
}

// A running sweep is told of a grid in at most 4 kB, which end with a line.
func TestShortGrid(t *testing.T) {
	for _, unit := range []string{"a: b\n", "é", "漢字: 1\n", "\xff\n", "x"} {
		for _, n := range []int{1, 4000, 4096, 4097, 100_000} {
			src := strings.Repeat(unit, n/len(unit)+1)
			got := shortGrid([]byte(src), ledger.ExtensionKey("x-1", 4))
			if len(got) > maxShortGrid || !utf8.ValidString(got) || got == "" {
				t.Errorf("%d bytes of %q: %d bytes", n, unit, len(got))
			}
			trimmed := strings.TrimSpace(src)
			if whole := got == trimmed; utf8.ValidString(src) && whole != (len(trimmed) <= maxShortGrid) {
				t.Errorf("%d bytes of %q: whole is %t", n, unit, whole)
			}
			if len(src) > 2*maxShortGrid && !strings.HasSuffix(got, "in the store: sweeps/x-1/extension-000004.yaml") {
				t.Errorf("%d bytes of %q end with %q", n, unit, got[len(got)-80:])
			}
		}
	}
}

// The shell completes what the verbs take.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SWEEP_STORE", "")
	_, p := storeGrid(t, dir, eightCells("eight"), 0)
	const noFile, noFileNoSpace = ":4", ":6"
	for args, want := range map[string]string{
		"pause|":                       p.ID + "\n" + noFile,
		"resume|":                      p.ID + "\n" + noFile,
		"cancel|":                      p.ID + "\n" + noFile,
		"retry|":                       p.ID + "\n" + noFile,
		"set|":                         p.ID + "\n" + noFile,
		"set|eight|":                   "max_concurrent=\nmix_classes=\n" + noFileNoSpace,
		"priority|":                    p.ID + "\n" + noFile,
		"priority|eight|":              "high\nnormal\nlow\n" + noFile,
		"submit|--priority|":           "high\nnormal\nlow\n" + noFile,
		"run|--priority|":              "high\nnormal\nlow\n" + noFile,
		"pause|eight|":                 noFile,
		"cancel|eight|--cell|":         fmt.Sprintf("%s\t%s\n", p.Cells[0].ID, p.Label(p.Cells[0])),
		"retry|eight|--cell|":          fmt.Sprintf("%s\t%s\n", p.Cells[7].ID, p.Label(p.Cells[7])),
		"cancel|--cell|":               noFile,
		"cancel|no such sweep|--cell|": ":1",
	} {
		words := strings.Split(args, "|")
		words = append([]string{"__complete", words[0], "--dir", dir}, words[1:]...)
		var out written
		if status := execute(t.Context(), &environment{out: &out, errOut: &written{}}, words); status != exitOK {
			t.Errorf("%s: status %d", args, status)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s completes to\n%s\nwant\n%s", args, out.String(), want)
		}
	}
}
