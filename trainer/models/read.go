package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ErrNone is in the chain of the error where there is no model to read, or more than one.
var ErrNone = errors.New("not one model")

// Read reads a model from a folder that one of the tools has written, this program's own among them. Rows of W_dec
// have whatever norms they have there. Where the folder itself has no model, a single one in the folders below it is
// read. from says which tool and file, for people.
func Read(folder fs.FS) (m *Model, from string, err error) {
	return read(folder, ".")
}

// Open is Read for a path: of a folder, or of the file of the weights in it.
func Open(name string) (m *Model, from string, err error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, "", fmt.Errorf("read the model %s: %w", name, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, "", fmt.Errorf("read the model %s: %w", name, err)
	}
	// A checkpoint of dictionary_learning, checkpoints/ae_5.pt, has its config.json in the folder above its own.
	root, start := filepath.Dir(abs), filepath.Base(abs)
	if !info.IsDir() {
		root, start = filepath.Dir(root), filepath.Base(root)+"/"+start
	}
	if root == abs { // the root of a file system
		start = "."
	}
	start = path.Clean(filepath.ToSlash(start))
	if !fs.ValidPath(start) {
		return nil, "", fmt.Errorf("read the model %s: the path cannot be read", name)
	}
	m, from, err = read(os.DirFS(root), start)
	if err != nil {
		return nil, "", fmt.Errorf("read the model %s: %w", name, err)
	}
	return m, from, nil
}

// openFile opens a regular file. Another kind is refused before it is opened: that of a pipe would wait for a writer.
func openFile(fsys fs.FS, name string) (fs.File, fs.FileInfo, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: it is no regular file", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, info, nil
}

// A place is a file of weights.
type place struct {
	folder string // in the fs.FS
	file   string // in the folder
}

func (p place) path() string { return path.Join(p.folder, p.file) }

// read reads the model of a folder, or of a file of weights, in fsys.
func read(fsys fs.FS, start string) (*Model, string, error) {
	m, from, err := readWhole(fsys, start)
	return m, from, clipped(err)
}

func readWhole(fsys fs.FS, start string) (*Model, string, error) {
	at, err := find(fsys, start)
	if err != nil {
		return nil, "", err
	}
	var m *Model
	var from string
	switch {
	case at.file == sparsifyWeights:
		m, from, err = readSparsify(fsys, at)
	case strings.HasSuffix(at.file, ".safetensors"):
		m, from, err = readSAELens(fsys, at)
	default:
		m, from, err = readTorch(fsys, at)
	}
	if err != nil {
		return nil, "", err
	}
	if err := m.Check(); err != nil {
		return nil, "", fmt.Errorf("%s: %w", at.path(), err)
	}
	return m, from, nil
}

// A longError is an error that would fill a screen, as one with a text of a hostile file may.
type longError struct{ err error }

const maxError = 1500 // bytes

func (e longError) Error() string {
	return strings.ToValidUTF8(e.err.Error()[:maxError], "") + "…"
}
func (e longError) Unwrap() error { return e.err }

// clipped returns an error, shortened.
func clipped(err error) error {
	if err != nil && len(err.Error()) > maxError {
		return longError{err}
	}
	return err
}

// find returns the file of weights that start names or holds.
func find(fsys fs.FS, start string) (place, error) {
	info, err := fs.Stat(fsys, start)
	if err != nil {
		return place{}, err
	}
	if !info.IsDir() {
		at := place{path.Dir(start), path.Base(start)}
		if at.file == toolsConfig || at.file == dictConfig {
			return find(fsys, at.folder)
		}
		if at.file != sparsifyWeights && at.file != saelensWeights && path.Ext(at.file) != ".pt" {
			return place{}, fmt.Errorf("%s: %w: the files of weights are %s (sparsify), %s (SAELens) and %s "+
				"(dictionary_learning)", start, ErrNone, sparsifyWeights, saelensWeights, dictWeights)
		}
		return at, nil
	}
	entries, err := fs.ReadDir(fsys, start)
	if err != nil {
		return place{}, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if files := weightsIn(names); len(files) == 1 {
		return place{start, files[0]}, nil
	} else if len(files) > 1 {
		return place{}, several(start, files)
	}
	below, err := findBelow(fsys, start)
	switch {
	case err != nil:
		return place{}, err
	case len(below) == 0:
		return place{}, fmt.Errorf("%s: %w: neither it nor a folder below it has %s with %s (sparsify), %s with %s "+
			"(SAELens) or %s with %s (dictionary_learning)", start, ErrNone,
			sparsifyWeights, toolsConfig, saelensWeights, toolsConfig, dictWeights, dictConfig)
	case len(below) > 1:
		var paths []string
		for _, at := range below {
			paths = append(paths, strings.TrimPrefix(at.path(), start+"/"))
		}
		return place{}, several(start, paths)
	}
	return below[0], nil
}

// stepFile matches the checkpoints of dictionary_learning.
var stepFile = regexp.MustCompile(`^ae_\d+\.pt$`)

// weightsIn returns the files of a folder that hold its model. A folder in several formats has one model: the first of
// sparsify, SAELens and dictionary_learning is read. Checkpoints are models of their own.
func weightsIn(names []string) []string {
	for _, w := range []string{sparsifyWeights, saelensWeights, dictWeights} {
		if slices.Contains(names, w) {
			return []string{w}
		}
	}
	var steps []string
	for _, n := range names {
		if stepFile.MatchString(n) {
			steps = append(steps, n)
		}
	}
	return steps
}

// Bounds of a search below a folder.
const (
	searchDepth   = 6
	searchEntries = 20_000
)

// findBelow returns the files of weights in the folders below start. It does not look below a folder that has a model.
func findBelow(fsys fs.FS, start string) ([]place, error) {
	var out []place
	seen := 0
	var walk func(folder string, depth int) error
	walk = func(folder string, depth int) error {
		entries, err := fs.ReadDir(fsys, folder)
		if err != nil {
			return err
		}
		var names, folders []string
		for _, e := range entries {
			if seen++; seen > searchEntries {
				return fmt.Errorf("%s: more than %d files lie below it: name the folder of the model", start, searchEntries)
			}
			if e.IsDir() {
				folders = append(folders, e.Name())
			} else {
				names = append(names, e.Name())
			}
		}
		if files := weightsIn(names); len(files) > 0 && folder != start {
			for _, f := range files {
				out = append(out, place{folder, f})
			}
			return nil
		}
		if depth == searchDepth {
			return nil
		}
		for _, sub := range folders {
			if err := walk(path.Join(folder, sub), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	err := walk(start, 0)
	return out, err
}

// several returns the error of a folder with more than one model.
func several(folder string, paths []string) error {
	const shown = 20
	list := strings.Join(paths[:min(len(paths), shown)], ", ")
	if len(paths) > shown {
		list += fmt.Sprintf(" and %d more", len(paths)-shown)
	}
	return fmt.Errorf("%s: %w: it has %d; name one of %s", folder, ErrNone, len(paths), list)
}
