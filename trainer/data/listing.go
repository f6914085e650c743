package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A listing is what a source names.
type listing struct {
	names []string // of shards, in the order of their rows; see isShard
	notes []string // what a person should know of them, a sentence each
}

// list finds the shards of a local path: a folder, a pattern or a file. source is the
// path as it was given. With raw, shards are files of bare numbers.
func list(ctx context.Context, tree folders, source, path string, raw bool) (listing, error) {
	f := newFinder(tree, source, raw)
	base, elems := splitGlob(path)
	info, err := tree.Stat(base)
	if err != nil {
		return listing{}, baseError(source, path, f.statError(base, err))
	}
	// What exists is not a pattern.
	for len(elems) > 0 && elems[0] != "**" {
		next := join(base, elems[0])
		i, err := tree.Stat(next)
		if err != nil {
			break
		}
		if isGlob(elems[0]) {
			f.byName[next] = true
		}
		base, elems, info = next, elems[1:], i
	}
	switch {
	case len(elems) == 0 && !info.IsDir():
		return f.oneFile(base)
	case !info.IsDir():
		return listing{}, &SourceError{Source: source, Missing: true, Msg: base + " is a file, not a folder"}
	case len(elems) == 0:
		err = f.walk(ctx, base, nil)
	default:
		err = f.match(ctx, base, elems, nil)
	}
	if err != nil {
		return listing{}, err
	}
	if len(f.shards) == 0 {
		return listing{}, f.nothing(path, base, len(elems) > 0)
	}
	left := f.withoutOriginals()
	return listing{slices.SortedFunc(maps.Keys(f.shards), byElements), append(f.notes(base), left...)}, nil
}

// withoutOriginals leaves out Arrow and Parquet files that lie beside a shard of the same name: it was made from them,
// as the advice for files that are not read says, and their rows would count twice.
func (f *finder) withoutOriginals() (notes []string) {
	n := 0
	for path := range f.shards {
		stem, found := strings.CutSuffix(path, ".parquet")
		if !found {
			stem, found = strings.CutSuffix(path, ".arrow")
		}
		if found && (f.shards[stem+".npy"] || f.shards[stem+".safetensors"]) {
			delete(f.shards, path)
			n++
		}
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("Files .parquet or .arrow beside a .npy or .safetensors of the same name are not "+
			"read: %d.", n))
	}
	return notes
}

// oneFile lists a source that is the name of a file.
func (f *finder) oneFile(path string) (listing, error) {
	switch {
	case f.foldersOnly:
		return listing{}, &SourceError{Source: f.source, Missing: true, Err: syscall.ENOTDIR,
			Msg: "is a file, not a folder: leave out the " + f.source[len(f.source)-1:] + " at its end"}
	case !f.raw && !isShard(path):
		return listing{}, &SourceError{Source: f.source, Msg: "is no " + endings(false, "or") +
			" file (in small letters), but " + f.sized(path) + ": convert it to one of them" + conversion(path)}
	}
	return listing{[]string{path}, f.notes(filepath.Dir(path))}, nil
}

// baseError explains why a path is not there.
func baseError(source, path string, err error) error {
	e := (*SourceError)(nil)
	if !errors.As(err, &e) {
		return err
	}
	switch gone := errors.Is(err, fs.ErrNotExist) && e.Msg == ""; {
	case gone && strings.Contains(path, "$"):
		return &SourceError{Source: source, Missing: true, Msg: "there is no such file, and variables such as $HOME are " +
			"not expanded: write the path out, or begin it with ~/"}
	case gone:
		return &SourceError{Source: source, Missing: true, Msg: patternHint(path), Err: e.Err}
	case e.Msg == "":
		return &SourceError{Source: source, Missing: e.Missing, Err: e.Err}
	}
	return err
}

// nothing says that a source holds no shards.
func (f *finder) nothing(path, base string, pattern bool) error {
	msg := "holds no " + endings(f.raw, "or") + " file"
	if pattern {
		msg = "matches no " + endings(f.raw, "or") + " file"
		if hint := patternHint(path); hint != "" {
			msg += "; " + hint
		}
	}
	switch {
	case len(f.unread) > 0:
		first := slices.MinFunc(slices.Collect(maps.Keys(f.unread)), byElements)
		msg += fmt.Sprintf("; not read are %s: convert them", f.few(base, f.unread))
		msg += fmt.Sprintf("; the first of %d is %s", len(f.unread), f.sized(first)) + conversion(first)
	case len(f.others) > 0:
		msg += fmt.Sprintf("; what lies there are %d other files: %s", len(f.others), f.few(base, f.others))
	case !pattern:
		msg += "; no file lies there"
	}
	return &SourceError{Source: f.source, Missing: true, Msg: msg}
}

// sized names a file or a folder that is not read, a file with its size.
func (f *finder) sized(path string) string {
	info, err := f.tree.Stat(path)
	switch {
	case err != nil:
		return filepath.Base(path)
	case info.IsDir():
		return filepath.Base(path) + ", a folder"
	}
	return fmt.Sprintf("%s of %d bytes", filepath.Base(path), info.Size())
}

// patternHint says what may be wrong with a path that leads nowhere.
func patternHint(path string) string {
	switch {
	case strings.Contains(path, `\`) && os.PathSeparator != '\\':
		return `a \ takes the special meaning from the character behind it: write / between folders`
	case strings.Contains(path, "{"):
		return "{} has no special meaning: name a folder, or write a pattern of *, ** and ?"
	}
	return ""
}

// notes says what a person may not expect of a source.
func (f *finder) notes(base string) (notes []string) {
	if len(f.byName) > 0 {
		notes = append(notes, "Taken by its name, not as a pattern: "+f.few("", f.byName)+".")
	}
	deep := map[string]bool{}
	for path := range f.shards {
		if dir := filepath.Dir(path); dir != filepath.Clean(base) {
			deep[dir] = true
		}
	}
	if n := f.inside(deep); f.below && n > 0 {
		notes = append(notes, fmt.Sprintf("Subfolders of %s hold %d of the %d shards: %s.",
			base, n, len(f.shards), f.few(base, deep)))
	}
	if len(f.unread) > 0 {
		notes = append(notes, fmt.Sprintf("Only %s are read, which leaves out %d: %s.",
			endings(f.raw, "and"), len(f.unread), f.few(base, f.unread)))
	}
	return notes
}

// inside counts the shards that lie directly in the given folders.
func (f *finder) inside(dirs map[string]bool) (n int) {
	for path := range f.shards {
		if dirs[filepath.Dir(path)] {
			n++
		}
	}
	return n
}

// few lists the first of some paths, relative to base, and counts the others.
func (f *finder) few(base string, paths map[string]bool) string {
	var names []string
	for _, p := range slices.SortedFunc(maps.Keys(paths), byElements) {
		if rel, ok := strings.CutPrefix(p, join(base, "")); ok {
			p = rel
		}
		names = append(names, p)
	}
	return fewOf(names)
}

// fewOf lists the first five of some names and counts the others.
func fewOf(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// isShard reports whether a path has the name of a shard.
func isShard(path string) bool {
	return slices.Contains(shardEndings(), filepath.Ext(path))
}

// shardEndings returns the endings of files that say what they hold.
func shardEndings() []string { return []string{".safetensors", ".npy", ".arrow", ".parquet"} }

// rawEndings returns the endings of files of bare numbers. In a folder, others are not taken.
func rawEndings() []string {
	return []string{".bin", ".dat", ".raw", ".memmap", ".mmap", ".f16", ".fp16", ".bf16", ".f32", ".fp32", ".f64"}
}

// endings lists the endings of shards for people. The last one follows and, or or.
func endings(raw bool, last string) string {
	all := shardEndings()
	if raw {
		all = rawEndings()
	}
	return strings.Join(all[:len(all)-1], ", ") + " " + last + " " + all[len(all)-1]
}

// isBare reports whether a path may be a file of bare numbers that a pattern has matched.
func isBare(path string) bool {
	ext := filepath.Ext(path)
	return !isText(strings.TrimPrefix(ext, ".")) && !isShard(path)
}

// looksLikeActivations reports whether a file that is no shard has a name such as arrays
// have: a.pt, a.NPY, a.npy.gz, but not a.safetensors.index.json.
func looksLikeActivations(path string) bool {
	parts := strings.Split(strings.ToLower(filepath.Base(path)), ".")[1:]
	if len(parts) == 0 || isText(parts[len(parts)-1]) {
		return false
	}
	return slices.ContainsFunc(parts, isArray)
}

// looksLikeFolder reports whether a folder has the name of a format that keeps an array
// in a folder. Shards in it are read all the same.
func looksLikeFolder(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".zarr", ".n5", ".lance":
		return true
	}
	return false
}

func isText(ext string) bool {
	switch ext {
	case "json", "md", "txt", "yaml", "yml", "toml", "log", "py", "sh", "html", "sha256", "md5":
		return true
	}
	return false
}

// isArray reports whether files with an ending, without its dot, may hold activations.
func isArray(ext string) bool {
	switch ext {
	case "npy", "npz", "safetensors", "pt", "pth", "ckpt", "bin", "pkl", "pickle", "joblib",
		"parquet", "arrow", "feather", "ipc", "lance", "orc", "avro",
		"h5", "hdf5", "hdf", "he5", "nc", "zarr", "n5", "mat", "tfrecord", "tfrecords", "msgpack",
		"dat", "raw", "f32", "f16", "bf16", "fp16", "fp32", "memmap", "mmap", "csv", "tsv", "jsonl",
		"gguf", "onnx", "tar", "zip", "tgz", "7z":
		return true
	}
	return false
}
