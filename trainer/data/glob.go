package data

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// isGlob reports whether an element of a path may be a pattern.
func isGlob(elem string) bool { return strings.ContainsAny(elem, "*?[") }

// splitGlob splits a path at its first element that may be a pattern. base is what lies
// before; without elems it is the whole path.
func splitGlob(path string) (base string, elems []string) {
	start := len(filepath.VolumeName(path)) // may hold a question mark
	for i := start; i <= len(path); i++ {
		if i < len(path) && !os.IsPathSeparator(path[i]) {
			continue
		}
		elem := path[start:i]
		switch {
		case len(elems) == 0 && isGlob(elem):
			base, elems = path[:start], []string{elem}
		case len(elems) > 0 && elem == "**" && elems[len(elems)-1] == "**": // the same as one
		case len(elems) > 0 && elem != "" && elem != ".":
			elems = append(elems, elem)
		}
		start = i + 1
	}
	if len(elems) == 0 {
		base = path
	}
	return cmp.Or(trimSeparators(base), "."), elems
}

// trimSeparators removes separators at the end of a path, but not those of a root.
func trimSeparators(path string) string {
	root := len(filepath.VolumeName(path)) + 1
	for len(path) > root && os.IsPathSeparator(path[len(path)-1]) {
		path = path[:len(path)-1]
	}
	return path
}

func endsInSeparator(path string) bool { return path != "" && os.IsPathSeparator(path[len(path)-1]) }

// checkElem returns an error for an element of a pattern that is malformed, or that
// means something else in a shell.
func checkElem(elem string) error {
	if _, err := filepath.Match(elem, ""); err != nil {
		return err
	}
	class := false
	for i := 0; i < len(elem); i++ {
		switch c, rest := elem[i], elem[i:]; {
		case c == '\\' && os.PathSeparator != '\\':
			i++
		case class:
			class = c != ']'
		case strings.HasPrefix(rest, "[!"):
			return errors.New("[! is not understood: write [^ for any character but these")
		case strings.HasPrefix(rest, "**"):
			return errors.New("** in " + elem + " is not understood: it stands for folders, as a/**/b; within a name write *")
		default:
			class = c == '['
		}
	}
	return nil
}

// matchElem reports whether an element of a pattern, which checkElem has passed, matches
// a name. It matches itself too.
func matchElem(elem, name string) bool {
	if name == elem {
		return true
	}
	if !visible(name) && elem[0] != '.' {
		return false
	}
	ok, err := filepath.Match(elem, name)
	return ok && err == nil
}

// matchCapitals reports whether a name would match and be that of a shard if its ending
// were in small letters.
func matchCapitals(elem, name string) bool {
	ext := filepath.Ext(name)
	small := strings.TrimSuffix(name, ext) + strings.ToLower(ext)
	return small != name && isShard(small) && matchElem(elem, small)
}

// visible reports whether a name does not begin with a dot. Others are files that are
// being written, or that file managers and version control leave.
func visible(name string) bool { return !strings.HasPrefix(name, ".") }

// byElements orders paths by their elements: a/z comes before a-b and before a.npy.
func byElements(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := a[i], b[i]; x != y {
			switch {
			case os.IsPathSeparator(x):
				return -1
			case os.IsPathSeparator(y):
				return 1
			}
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}
