package data

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A reference says slowly which files of a tree a pattern names.
type reference struct {
	files fstest.MapFS
	dirs  map[string]bool
}

func newReference(files fstest.MapFS) reference {
	r := reference{files, map[string]bool{"": true}}
	for f := range files {
		for dir := path.Dir(f); dir != "."; dir = path.Dir(dir) {
			r.dirs[dir] = true
		}
	}
	return r
}

func (r reference) find(pattern string) (names []string) {
	elems := slices.DeleteFunc(strings.Split(pattern, "/"), func(e string) bool { return e == "" || e == "." })
	for f := range r.files {
		// A file is named, or lies in a folder that is. No name below that begins with a dot.
		parts := strings.Split(f, "/")
		for n := range len(parts) + 1 {
			folder := n < len(parts)
			if !folder && strings.HasSuffix(pattern, "/") || slices.ContainsFunc(parts[n:], hidden) {
				continue
			}
			if isShard(f) && r.match("", elems, parts[:n]) {
				names = append(names, f)
				break
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) })
	return names
}

func hidden(name string) bool { return name[0] == '.' }

// match reports whether elems match all of the names, which lie below dir.
func (r reference) match(dir string, elems, names []string) bool {
	switch {
	case len(elems) == 0:
		return len(names) == 0
	case elems[0] == "**" && !r.dirs[dir]: // it stands for folders
		return false
	case elems[0] == "**":
		return r.match(dir, elems[1:], names) ||
			len(names) > 0 && r.dirs[path.Join(dir, names[0])] && !hidden(names[0]) &&
				r.match(path.Join(dir, names[0]), elems, names[1:])
	case len(names) == 0:
		return false
	}
	ok := elems[0] == names[0]
	literal := path.Join(dir, elems[0])
	if _, file := r.files[literal]; !file && !r.dirs[literal] && isGlob(elems[0]) {
		ok, _ = path.Match(elems[0], names[0])
		ok = ok && (!hidden(names[0]) || hidden(elems[0]))
	}
	return ok && r.match(path.Join(dir, names[0]), elems[1:], names[1:])
}

// anyPath takes paths that fstest.MapFS does not, such as a/./b and a/.
type anyPath struct{ fstest.MapFS }

func (f anyPath) Stat(name string) (fs.FileInfo, error) { return f.MapFS.Stat(path.Clean(name)) }
func (f anyPath) ReadDir(name string) ([]fs.DirEntry, error) {
	return f.MapFS.ReadDir(path.Clean(name))
}

// FuzzFind compares the finder with the reference, in trees of a few short names.
func FuzzFind(f *testing.F) {
	for _, pattern := range []string{
		"**", "a", "a/**", "**/a", "*/b.npy", "a/**/b/**/*.npy", "[ab]/*", "**/**/a", "a*", "*/", "**/a/", ".a/*", "[a",
		"[^a]/**", `\a`, "a/./b", "?", "**/[a]", "[!a]", "a**", "*/*/*", "*/**",
	} {
		f.Add(pattern, "a.npy\na/b.npy\nb/a/b.npy\na/b/a/.b/a.npy\n[a]/b.npy\n.a/b.npy\na/b/a/b/c.npy\na/x.pt")
	}
	f.Fuzz(func(t *testing.T, pattern, tree string) {
		files := fstest.MapFS{}
		for _, name := range strings.Split(tree, "\n") {
			if len(files) < 12 && len(name) < 40 && name != "." && fs.ValidPath(name) {
				files[name] = &fstest.MapFile{}
			}
		}
		want := newReference(files)
		for name := range files { // a file is no folder as well
			if want.dirs[name] {
				delete(files, name)
			}
		}
		want = newReference(files)
		if len(pattern) > 40 || pattern == "" || pattern[0] == '/' || slices.Contains(strings.Split(pattern, "/"), "..") {
			return
		}
		l, err := list(t.Context(), anyPath{files}, pattern, pattern, false)
		if err != nil {
			if names := want.find(pattern); len(names) > 0 && !refused(pattern) {
				t.Fatalf("%q: %v, want %q", pattern, err, names)
			}
			return
		}
		for i, name := range l.names {
			l.names[i] = path.Clean(name)
		}
		if names := want.find(pattern); !slices.Equal(l.names, names) {
			t.Fatalf("%q in %q: %q, want %q", pattern, slices.Sorted(maps.Keys(files)), l.names, names)
		}
	})
}

// refused reports whether an element of a pattern is no pattern.
func refused(pattern string) bool {
	return slices.ContainsFunc(strings.Split(pattern, "/"), func(e string) bool {
		return e != "**" && e != "" && isGlob(e) && checkElem(e) != nil
	})
}

func TestOrder(t *testing.T) {
	names := []string{"a-b/c", "a.npy", "a/z", "a/b/c", "b", "a", "a/b", "B"}
	slices.SortFunc(names, byElements)
	if want := []string{"B", "a", "a/b", "a/b/c", "a/z", "a-b/c", "a.npy", "b"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}
