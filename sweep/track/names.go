package track

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// maxName is the length of the longest name of a folder, in bytes. File systems take 255, and trackers put more before
// and behind it.
const maxName = 120

// safe makes a text the name of a file on any system: letters, digits and =,._- of ASCII. What else is there becomes _,
// and it does not begin with a point or a dash. The empty text stays empty.
func safe(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("=,._-", r):
			return r
		}
		return '_'
	}, s)
	if s != "" && strings.ContainsRune(".-", rune(s[0])) {
		s = "_" + s[1:]
	}
	if strings.HasSuffix(s, ".") { // Windows drops it
		s = s[:len(s)-1] + "_"
	}
	return shortened(s, maxName)
}

// shortened cuts a text of ASCII.
func shortened(s string, n int) string { return s[:min(len(s), n)] }

// uniqueNames are the names that are taken in a folder, in lower case: some systems do not tell it from upper case.
type uniqueNames map[string]bool

// of returns a name, or the name with a number behind it if it is taken.
func (u uniqueNames) of(folder, name string) string {
	for unique, n := name, 2; ; n++ {
		if key := strings.ToLower(folder + "/" + unique); !u[key] {
			u[key] = true
			return unique
		}
		unique = fmt.Sprintf("%s-%d", name, n)
	}
}

// safeColumns returns the names of a table's columns as names of files, which MLflow makes them.
func safeColumns(t table.Table) []string {
	names, out := uniqueNames{}, []string{}
	for _, c := range t.Columns {
		name := strings.NewReplacer("=", "_", ",", "_").Replace(safe(c.Name))
		if name == "" {
			name = "_"
		}
		out = append(out, names.of("", name))
	}
	return out
}

// id is a name of n hexadecimal digits, at most 64, for a run where a tracker wants one that is unique over all sweeps.
func (r *run) id(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", r.sweep, r.cell, r.number))
	return hex.EncodeToString(sum[:])[:n]
}

// numberOf is a number of 18 digits for a name.
func numberOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	const smallest = 100_000_000_000_000_000
	return fmt.Sprint(smallest + binary.BigEndian.Uint64(sum[:])%(9*smallest))
}
