package data

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// placeSets are the data sets to take in place of a source that holds several places, as a grid has them.
type placeSets struct{ names, sources []string }

func setsOf(places []modelPlace, source string, shards []string) (sets placeSets) {
	tail := tailOf(source, shards)
	for i, p := range places {
		var others []string
		for _, o := range slices.Concat(places[:i], places[i+1:]) {
			others = append(others, o.folders...)
		}
		for _, of := range sourcesOf(p.folders, others, tail, shards) {
			name := setName(p.String())
			for n := 2; slices.Contains(sets.names, name); n++ {
				name = fmt.Sprintf("%s-%d", setName(p.String()), n)
			}
			sets.names, sets.sources = append(sets.names, name), append(sets.sources, of)
		}
	}
	return sets
}

// yaml writes the section data of a grid.
func (s placeSets) yaml() string {
	text := "data:\n  sets:"
	for i, name := range s.names {
		text += fmt.Sprintf("\n    %s: {source: %s}", name, yamlText(s.sources[i]))
	}
	return text
}

// setName makes the name of a set from what a place is called: l3_resid_post.
func setName(place string) string {
	const most = 60 // a name has 64 characters at most, and may get a number
	name := strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.ContainsRune("_.-", c):
			return c
		case c == ' ':
			return '_'
		}
		return '-'
	}, strings.ToLower(strings.Replace(place, "layer ", "l", 1)))
	return cmp.Or(strings.TrimLeft(name[:min(most, len(name))], "_.-"), "set")
}

// yamlText writes a path as a value of YAML: in quotes, unless it surely means the same without.
func yamlText(path string) string {
	special := func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/._-*", c))
	}
	rest := strings.TrimPrefix(path, objectScheme)
	if i := strings.Index(rest, "/"); i >= 0 && rest[0] != '*' && rest[0] != '-' && !strings.ContainsFunc(rest, special) {
		return path
	}
	b, err := json.Marshal(path)
	if err != nil { // a text always has a form in JSON, which is one of YAML too
		return path
	}
	return string(b)
}

// tailOf returns the last element of a pattern that chooses shards by their names, such as part-*.npy, or "".
func tailOf(source string, shards []string) string {
	tail := filepath.Base(filepath.ToSlash(source))
	if !isGlob(tail) || strings.Trim(tail, "*") == "" {
		return ""
	}
	for _, s := range shards {
		if !matchElem(tail, filepath.Base(s)) {
			return ""
		}
	}
	return tail
}

// sourcesOf returns what names the shards in folders, and none of those in others: one source where a folder or a
// pattern does so, or else one for each folder. tail is that of the source which had them.
func sourcesOf(folders, others []string, tail string, shards []string) (all []string) {
	tops := slices.Clone(folders)
	if tail == "" { // a folder is taken with its subfolders
		tops = slices.DeleteFunc(tops, func(f string) bool {
			return slices.ContainsFunc(folders, func(o string) bool { return o != f && matches(elements(o), f) })
		})
	}
	if p := patternOf(tops); p != nil && !slices.ContainsFunc(others, func(o string) bool { return matches(p, o) }) {
		tops = []string{strings.Join(p, "/")}
	} else {
		tops = slices.Clone(folders)
	}
	for i, f := range tops {
		last := tail
		if last == "" && slices.ContainsFunc(others, func(o string) bool { return matches(elements(f), o) }) {
			in := slices.IndexFunc(shards, func(s string) bool { return folderName(s) == f })
			last = "*" + filepath.Ext(shards[in]) // those in the folder itself
		}
		if last != "" {
			f = strings.TrimSuffix(f, "/") + "/" + last
		}
		tops[i] = f
	}
	return tops
}

// patternOf returns the elements of a pattern that matches all folders, or nil. One folder is a pattern by its name.
func patternOf(folders []string) []string {
	pattern := elements(folders[0])
	for _, f := range folders[1:] {
		elems := elements(f)
		if len(elems) != len(pattern) {
			return nil
		}
		for i, e := range elems {
			switch {
			case e != pattern[i]:
				pattern[i] = "*"
			case isGlob(e) && e != "*" || strings.Contains(e, `\`):
				return nil
			}
		}
	}
	return pattern
}

// matches reports whether a folder is one that the elements of a pattern name, or lies in one.
func matches(pattern []string, folder string) bool {
	elems := elements(folder)
	if len(elems) < len(pattern) {
		return false
	}
	for i, p := range pattern {
		if p != elems[i] && !(p == "*" && visible(elems[i])) {
			return false
		}
	}
	return true
}

func elements(path string) []string { return strings.Split(filepath.ToSlash(path), "/") }
