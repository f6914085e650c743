package track

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// ErrOccupied is the error if the folder to write holds anything.
var ErrOccupied = errors.New("it is not empty: choose a new or an empty folder")

// A folder is written under another name beside its place, and then renamed: who reads it never finds a part.
type folder struct {
	path string // where it is to be
	temp string
}

// newFolder begins a folder at a path, which must not exist or be an empty folder.
func newFolder(path string) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := Vacant(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	// os.MkdirTemp would leave out the group that the umask lets in.
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.part-%d", filepath.Base(path), rand.Uint64()))
	if err := os.Mkdir(temp, 0o777); err != nil {
		return nil, err
	}
	return &folder{path: path, temp: temp}, nil
}

// Vacant says whether Write may write a folder at a path: it must not exist or be empty. The error wraps ErrOccupied if
// it holds anything.
func Vacant(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is a file: %w", path, ErrOccupied)
	}
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("folder %s holds %s: %w", path, entries[0].Name(), ErrOccupied)
	}
	return err
}

// put writes a file. name has slashes.
func (f *folder) put(name string, content []byte) error {
	path := filepath.Join(f.temp, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o666)
}

// makeFolder makes an empty folder. name has slashes.
func (f *folder) makeFolder(name string) error {
	return os.MkdirAll(filepath.Join(f.temp, filepath.FromSlash(name)), 0o777)
}

// publish puts the folder in its place.
func (f *folder) publish() error {
	if err := Vacant(f.path); err != nil {
		return err
	}
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(f.temp, f.path)
}

// remove removes what was written and not published.
func (f *folder) remove() error { return os.RemoveAll(f.temp) }
