package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/spelling"
	"github.com/topksweep/sweep/sweep/table"
)

const (
	maxValue   = 80  // bytes of a value in a name; a longer one is cut
	maxElement = 200 // bytes of a folder's name
)

// A Name is a template for the names of folders: text, slashes between folders, and keys in braces, each the name of a
// column of the results: {layer}/k{k}_f{dict_size}.
type Name struct {
	source string
	parts  []part
}

// A part is a text or a key.
type part struct {
	text string
	key  bool
}

// ParseName reads a template. The error says what is wrong with it: an unknown key with the nearest known one, a name
// that leaves its folder.
func ParseName(source string) (Name, error) {
	n := Name{source: source}
	for rest := source; rest != ""; {
		at := strings.IndexAny(rest, "{}")
		if at < 0 {
			n.parts = append(n.parts, part{text: rest})
			break
		}
		if at > 0 {
			n.parts = append(n.parts, part{text: rest[:at]})
		}
		key, after, closed := strings.Cut(rest[at+1:], "}")
		if rest[at] == '}' || !closed {
			return Name{}, fmt.Errorf("a brace stands alone: write a key as {k}")
		}
		if err := checkKey(key); err != nil {
			return Name{}, err
		}
		n.parts = append(n.parts, part{key, true})
		rest = after
	}
	// A value is never empty and has no slash. So this finds what is wrong with any name, but for its length.
	_, err := n.folder(func(string) string { return "x" })
	return n, err
}

// checkKey refuses what is no column of the results.
func checkKey(key string) error {
	var known []string
	for _, c := range report.Columns() {
		known = append(known, c.Name)
	}
	if slices.Contains(known, key) {
		return nil
	}
	if near := spelling.Nearest(key, known); near != "" {
		return fmt.Errorf("there is no key %q: did you mean {%s}?", key, near)
	}
	return fmt.Errorf("there is no key %q: want a setting, or another column of the results such as "+
		"cell, sweep, lm_name, layer, hook_name", key)
}

// Keys lists the keys of the template.
func (n Name) Keys() []string {
	var out []string
	for _, p := range n.parts {
		if p.key {
			out = append(out, p.text)
		}
	}
	return out
}

// Of returns the name of the folder of a row of results, with slashes between folders. A value that is not there is _.
func (n Name) Of(t *table.Table, row int) (string, error) {
	return n.folder(func(key string) string { return safe(t.Value(row, key)) })
}

func (n Name) folder(value func(key string) string) (string, error) {
	var b strings.Builder
	for _, p := range n.parts {
		if p.key {
			b.WriteString(value(p.text))
		} else {
			b.WriteString(p.text)
		}
	}
	name := b.String()
	for e := range strings.SplitSeq(name, "/") {
		if err := checkElement(e); err != nil {
			return "", fmt.Errorf("the name %q: %w", name, err)
		}
	}
	return name, nil
}

// checkElement refuses what is not the name of one folder on every system.
func checkElement(e string) error {
	switch {
	case e == "":
		return errors.New("a folder has no name: it may not begin or end with /, nor have // in it")
	case e == "." || e == "..":
		return fmt.Errorf("%s is no name of a folder", e)
	case len(e) > maxElement:
		return fmt.Errorf("a folder's name has %d bytes, of at most %d", len(e), maxElement)
	case strings.HasSuffix(e, ".") || strings.HasSuffix(e, " "):
		return errors.New("a folder's name may not end with a dot or a space")
	case strings.ContainsFunc(e, func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune(`\:*?"<>|`, r)
	}):
		return fmt.Errorf(`want no control characters and none of \ : * ? " < > | in it`)
	case reserved.MatchString(e):
		return fmt.Errorf("%s is the name of a device on Windows: write more before or behind it", e)
	}
	return nil
}

// reserved matches the names that no folder has on Windows, with any ending.
var reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|com[0-9]|lpt[0-9])( *\..*)?$`)

// safe writes a value as part of a folder's name: letters, digits and . _ - + = stay, and all else is _.
// So openai/gpt2 is openai_gpt2, and .. is __. What is not there or empty is _, and a long value is cut and has a hash
// of the whole.
func safe(v any) string {
	if v == nil {
		return "_"
	}
	whole := text(v)
	out := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-+=", r) {
			return r
		}
		return '_'
	}, whole)
	if strings.HasPrefix(out, ".") {
		out = "_" + out[1:]
	}
	if strings.HasSuffix(out, ".") {
		out = out[:len(out)-1] + "_"
	}
	if len(out) > maxValue {
		sum := sha256.Sum256([]byte(whole))
		out = out[:maxValue-9] + "-" + hex.EncodeToString(sum[:4])
	}
	if out == "" {
		return "_"
	}
	return out
}

// Default names folders where no template is asked for: by the settings that vary, as in k8_dict_size512. They have the
// IDs of the runs where nothing varies, or where such names would be long or equal.
func Default(t *table.Table, axes []string) ([]string, error) {
	var parts []string
	for _, key := range axes {
		label := key
		if key == plan.DataKey { // its values are names
			label = ""
		}
		parts = append(parts, fmt.Sprintf("%s{%s}", label, key))
	}
	if n, err := ParseName(strings.Join(parts, "_")); err == nil && len(parts) > 0 {
		if folders, err := n.Folders(t); err == nil {
			return folders, nil
		}
	}
	return Name{parts: []part{{"run", true}}}.Folders(t)
}

// Folders returns the folder of each row. The error names two rows that would have one, and what tells them apart. On
// some systems names that differ in capitals alone are one.
func (n Name) Folders(t *table.Table) ([]string, error) {
	out := make([]string, len(t.Rows))
	first := map[string]int{}
	for i := range t.Rows {
		name, err := n.Of(t, i)
		if err != nil {
			return nil, err
		}
		if other, taken := first[strings.ToLower(name)]; taken {
			return nil, fmt.Errorf("the runs %v and %v would have one folder, %s: %s",
				t.Value(other, "run"), t.Value(i, "run"), name, n.missing(t, other, i))
		}
		first[strings.ToLower(name)], out[i] = i, name
	}
	return out, nil
}

// missing says what to add to the template so that two rows have two names.
func (n Name) missing(t *table.Table, a, b int) string {
	keys := []string{"cell", "run", "sweep"}
	keys = append(report.Settings(t), keys...)
	for _, key := range keys {
		if !slices.Contains(n.Keys(), key) && safe(t.Value(a, key)) != safe(t.Value(b, key)) {
			return "add {" + key + "} to the name"
		}
	}
	return "they are one run, which is asked for twice"
}

func (n Name) String() string { return n.source }
