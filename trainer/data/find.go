package data

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// folders is what finding shards needs of a file system.
type folders interface {
	ReadDir(name string) ([]fs.DirEntry, error)
	ReadLink(name string) (string, error)
	Stat(name string) (fs.FileInfo, error) // of what a link leads to
}

// disk is the file system of this machine.
type disk struct{}

func (disk) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (disk) ReadLink(name string) (string, error)       { return os.Readlink(name) }
func (disk) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }

// A finder finds the shards that a source names.
//
// A folder stands for all that lies in it and in its subfolders. Elements of a pattern
// match one element of a path, and ** any number of folders. Links are followed. Names
// that begin with a dot are left out, unless the pattern writes the dot.
type finder struct {
	tree        folders
	source      string // as it was given, for errors
	foldersOnly bool   // the source ends in a separator
	raw         bool   // shards are files of bare numbers

	shards, unread map[string]bool // paths of shards, and of files that look like activations
	others         map[string]bool // paths of other files
	byName         map[string]bool // paths that exist although they look like a pattern
	seen           map[visit]bool
	below          bool // files were taken that lie deeper than the pattern says
}

// A visit is a folder and the number of elements that are left to match in it.
type visit struct {
	path string
	left int
}

func newFinder(tree folders, source string, raw bool) *finder {
	return &finder{
		tree: tree, source: source, foldersOnly: endsInSeparator(source), raw: raw,
		shards: map[string]bool{}, unread: map[string]bool{}, byName: map[string]bool{}, seen: map[visit]bool{},
		others: map[string]bool{},
	}
}

// match takes what elems name below a folder. over is what enter needs while elems
// begin with **, and nil before.
func (f *finder) match(ctx context.Context, dir string, elems []string, over []fs.FileInfo) error {
	v := visit{dir, len(elems)}
	if f.seen[v] {
		return nil
	}
	f.seen[v] = true
	elem, rest := elems[0], elems[1:]
	if elem == "**" {
		f.below = true
		return f.matchDeep(ctx, dir, elems, over)
	}
	found := func(path string, folder fs.FileInfo) error {
		switch {
		case len(rest) == 0:
			return f.take(ctx, path, folder)
		case folder == nil:
			return nil
		}
		return f.match(ctx, path, rest, nil)
	}
	path := join(dir, elem)
	info, err := f.tree.Stat(path)
	switch {
	case err == nil:
		if isGlob(elem) {
			f.byName[path] = true
		}
		return found(path, folderOf(info))
	case !isGlob(elem):
		if errors.Is(err, fs.ErrNotExist) && !isLink(f.tree, path) {
			return nil
		}
		return f.statError(path, err)
	}
	if err := checkElem(elem); err != nil {
		return &SourceError{Source: f.source, Err: err}
	}
	wanted := func(name string) bool { return matchElem(elem, name) || len(rest) == 0 && matchCapitals(elem, name) }
	return f.each(ctx, dir, wanted, func(path string, folder fs.FileInfo) error {
		switch {
		case matchElem(elem, filepath.Base(path)):
			return found(path, folder)
		case folder == nil:
			f.file(path) // A.NPY, for *.npy: it is not read, and a note says so
		}
		return nil
	})
}

// matchDeep is match for elems that begin with **.
func (f *finder) matchDeep(ctx context.Context, dir string, elems []string, over []fs.FileInfo) error {
	if len(elems) == 1 {
		return f.walk(ctx, dir, over)
	}
	if over == nil {
		over = f.above(dir)
	}
	if err := f.match(ctx, dir, elems[1:], nil); err != nil {
		return err
	}
	return f.each(ctx, dir, visible, func(path string, folder fs.FileInfo) error {
		if folder == nil {
			return nil
		}
		over, err := enter(over, path, folder)
		if err != nil {
			return err
		}
		return f.match(ctx, path, elems, over)
	})
}

// take takes a file, or all that lies in a folder and below it.
func (f *finder) take(ctx context.Context, path string, folder fs.FileInfo) error {
	switch {
	case folder != nil:
		f.below = true
		return f.walk(ctx, path, nil)
	case f.foldersOnly:
	case f.raw && isBare(path): // the pattern gives its name
		f.shards[path] = true
	default:
		f.file(path)
	}
	return nil
}

// walk takes all that lies in a folder and below it.
func (f *finder) walk(ctx context.Context, dir string, over []fs.FileInfo) error {
	v := visit{dir, 0}
	if f.seen[v] {
		return nil
	}
	f.seen[v] = true
	if over == nil {
		over = f.above(dir)
	}
	return f.each(ctx, dir, visible, func(path string, folder fs.FileInfo) error {
		if folder == nil {
			f.file(path)
			return nil
		}
		f.below = true
		if looksLikeFolder(path) {
			f.unread[path] = true
		}
		over, err := enter(over, path, folder)
		if err != nil {
			return err
		}
		return f.walk(ctx, path, over)
	})
}

func (f *finder) file(path string) {
	switch {
	case f.raw && slices.Contains(rawEndings(), filepath.Ext(path)), !f.raw && isShard(path):
		f.shards[path] = true
	case looksLikeActivations(path):
		f.unread[path] = true
	default:
		f.others[path] = true
	}
}

// each calls do for the wanted entries of a folder, in the order of their names. folder
// is nil for what is no folder.
func (f *finder) each(ctx context.Context, dir string, wanted func(name string) bool,
	do func(path string, folder fs.FileInfo) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := f.tree.ReadDir(dir)
	if err != nil {
		return fileError(dir, err)
	}
	for _, e := range entries {
		if !wanted(e.Name()) {
			continue
		}
		path := join(dir, e.Name())
		var folder fs.FileInfo
		if !e.Type().IsRegular() {
			info, err := f.tree.Stat(path)
			if err != nil {
				return f.statError(path, err)
			}
			folder = folderOf(info)
		}
		if err := do(path, folder); err != nil {
			return err
		}
	}
	return nil
}

// statError explains an error of Stat. A link that leads nowhere is called so.
func (f *finder) statError(path string, err error) error {
	target, e := f.tree.ReadLink(path)
	switch {
	case e != nil:
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return &SourceError{Source: path, Missing: true, Msg: "is a link to " + target + ", which does not exist: " +
			"remove the link, or bring back what it leads to"}
	case errors.Is(err, syscall.ELOOP):
		return &SourceError{Source: path, Msg: "is a link to " + target + ", which leads back to itself: remove the link"}
	}
	return fileError(path, err)
}

// above returns a folder and the folders that it lies in, up to the root. It stops where
// they cannot be seen: then enter finds a loop later.
func (f *finder) above(dir string) (over []fs.FileInfo) {
	for path := dir; ; path = join(path, "..") {
		info, err := f.tree.Stat(path)
		if err != nil || len(over) > 0 && os.SameFile(info, over[len(over)-1]) {
			return over
		}
		over = append(over, info)
	}
}

// enter adds a folder to those that it lies in. The error says that it is one of them.
func enter(over []fs.FileInfo, path string, folder fs.FileInfo) ([]fs.FileInfo, error) {
	if slices.ContainsFunc(over, func(o fs.FileInfo) bool { return os.SameFile(o, folder) }) {
		return nil, &SourceError{Source: path, Msg: "is a link that leads back to a folder that it lies in: " +
			"remove the link, or give a pattern that does not match it"}
	}
	return append(slices.Clip(over), folder), nil
}

// folderOf returns info if it is that of a folder, and nil otherwise.
func folderOf(info fs.FileInfo) fs.FileInfo {
	if info.IsDir() {
		return info
	}
	return nil
}

func isLink(tree folders, path string) bool {
	_, err := tree.ReadLink(path)
	return err == nil
}

// join adds a name to a folder. It keeps the path as it is written: a/link/.. is not a.
func join(dir, name string) string {
	switch {
	case dir == "." || dir == "":
		return name
	case os.IsPathSeparator(dir[len(dir)-1]):
		return dir + name
	}
	return dir + string(filepath.Separator) + name
}
