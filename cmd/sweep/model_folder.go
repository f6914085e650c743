package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/topksweep/sweep/trainer/models"
)

// writeModelFolder writes the files of a model as a folder, which is there whole or not at all. A folder that holds
// these files already, and nothing else, stays as it is. One that holds anything else is an input error. A link to a
// folder stays: the files are written where it leads.
func writeModelFolder(ctx context.Context, folder string, files []models.File) error {
	if info, err := os.Lstat(folder); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if folder, err = filepath.EvalSymlinks(folder); err != nil {
			return inputError{fmt.Errorf("look at the folder for the model: %w", err)}
		}
	}
	switch same, err := holds(folder, files); {
	case err != nil:
		return err
	case same:
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o777); err != nil {
		return fmt.Errorf("make the folder for the model: %w", err)
	}
	temporary, err := os.MkdirTemp(filepath.Dir(folder), "."+filepath.Base(folder)+"-")
	if err != nil {
		return fmt.Errorf("make the folder for the model: %w", err)
	}
	defer os.RemoveAll(temporary)
	for _, f := range files {
		if err := writeModelFile(ctx, filepath.Join(temporary, filepath.FromSlash(f.Name)), f); err != nil {
			return fmt.Errorf("write the model: %w", err)
		}
	}
	if err := os.Chmod(temporary, 0o755); err != nil { // a temporary folder is its owner's alone
		return fmt.Errorf("write the model: %w", err)
	}
	if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty one
		return fmt.Errorf("write the model: %w", err)
	}
	if err := os.Rename(temporary, folder); err != nil {
		return fmt.Errorf("write the model: %w", err)
	}
	return nil
}

func writeModelFile(ctx context.Context, path string, from models.File) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(contextReader{ctx, from.Body}, 0, from.Size))
	return errors.Join(err, f.Close())
}

// A contextReader reads until its context ends.
type contextReader struct {
	ctx context.Context
	io.ReaderAt
}

func (r contextReader) ReadAt(p []byte, off int64) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.ReaderAt.ReadAt(p, off)
}

// holds says that a folder holds these files and no others. It is false if the folder is empty or not there, and an
// input error if it holds anything else.
func holds(folder string, files []models.File) (bool, error) {
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the folder for the model: %w", err)
	}
	other := inputError{fmt.Errorf("%s is there, and is not this model: choose another folder with --out, or remove it",
		folder)}
	if !info.IsDir() {
		return false, other
	}
	there := map[string]bool{}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var name string
			name, err = filepath.Rel(folder, path)
			there[filepath.ToSlash(name)] = true
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look at the folder for the model: %w", err)
	}
	if len(there) == 0 {
		entries, err := os.ReadDir(folder)
		if err == nil && len(entries) > 0 {
			return false, other
		}
		return false, err
	}
	if len(there) != len(files) {
		return false, other
	}
	for _, f := range files {
		if !there[f.Name] {
			return false, other
		}
		same, err := equals(filepath.Join(folder, filepath.FromSlash(f.Name)), f)
		if err != nil {
			return false, err
		}
		if !same {
			return false, other
		}
	}
	return true, nil
}

// equals says that a file has the bytes of a file of a model.
func equals(path string, want models.File) (bool, error) {
	// A pipe would wait for a writer where it is opened.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() != want.Size {
		return false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < want.Size; off += int64(len(a)) {
		n := min(int64(len(a)), want.Size-off)
		if _, err := f.ReadAt(a[:n], off); err != nil {
			return false, err
		}
		if _, err := want.Body.ReadAt(b[:n], off); err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return false, nil
		}
	}
	return true, nil
}
