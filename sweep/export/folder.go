package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/topksweep/sweep/trainer/models"
)

// readmeFile is what package models calls its README, which names the formats that are there: it changes with them.
const readmeFile = "README.md"

// ErrOther is returned for a folder that holds something else than what is to be written.
var ErrOther = errors.New("holds something else")

// Present lists the formats whose files a folder holds.
func Present(folder string) (out []models.Format) {
	for _, f := range models.Formats() {
		info, err := os.Stat(filepath.Join(folder, filepath.FromSlash(f.Weights())))
		if err == nil && info.Mode().IsRegular() {
			out = append(out, f)
		}
	}
	return out
}

// A Change says what WriteFolder did.
type Change string

const (
	Written  Change = "written"  // the folder was not there
	Added    Change = "added"    // files came to those that it held
	Same     Change = "same"     // it held the same
	Replaced Change = "replaced" // it held something else, and force was given
)

// WriteFolder writes files to a folder. A folder that is not there appears whole. To one that is there, files of other
// formats are added, each whole, and its README is replaced. If a file is there with other bytes, or the folder holds
// files and none of these, the error is ErrOther and nothing is changed. With force such a folder is replaced, if it
// holds nothing but files of models. A link to a folder stays: the files are written where it leads.
func WriteFolder(ctx context.Context, folder string, files []models.File, force bool) (Change, error) {
	if info, err := os.Lstat(folder); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if folder, err = filepath.EvalSymlinks(folder); err != nil {
			return "", err
		}
	}
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return "", fmt.Errorf("%s %w: it is a file", folder, ErrOther)
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		if err = create(ctx, folder, files); err == nil {
			return Written, nil
		}
		// Another program may have written the folder at the same time.
		now, readErr := os.ReadDir(folder)
		if readErr != nil || len(now) == 0 || ctx.Err() != nil {
			return "", err
		}
		err = nil
	}
	if err != nil {
		return "", err
	}
	missing, other, err := compare(ctx, folder, files)
	if err != nil {
		return "", err
	}
	switch {
	case other != "" && !force:
		return "", fmt.Errorf("%s %w: %s", folder, ErrOther, other)
	case other != "":
		return Replaced, replace(ctx, folder, files)
	case len(missing) == 0:
		return Same, nil
	}
	for _, f := range missing {
		if err := writeFile(ctx, filepath.Join(folder, filepath.FromSlash(f.Name)), f); err != nil {
			return "", err
		}
	}
	return Added, nil
}

// compare returns the files that a folder lacks, the README last, and what else it holds if it is not of this model.
func compare(ctx context.Context, folder string, files []models.File) (missing []models.File, other string, err error) {
	var readme *models.File
	same := false
	for _, f := range files {
		equal, err := equalFile(ctx, filepath.Join(folder, filepath.FromSlash(f.Name)), f)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, f)
		case err != nil:
			return nil, "", err
		case f.Name == readmeFile:
			if !equal {
				readme = &f
			}
		case !equal:
			return nil, f.Name + " has other content", nil
		default:
			same = true
		}
	}
	if !same {
		return nil, "it is not empty, and has none of the files", nil
	}
	if readme != nil {
		missing = append(missing, *readme)
	}
	slices.SortStableFunc(missing, func(a, b models.File) int { return strings.Compare(order(a), order(b)) })
	return missing, "", nil
}

// order puts the README behind what it is about.
func order(f models.File) string {
	if f.Name == readmeFile {
		return "1"
	}
	return "0"
}

// equalFile reports whether a file on disk has these bytes.
func equalFile(ctx context.Context, path string, f models.File) (bool, error) {
	// A pipe would wait for a writer where it is opened.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	on, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer on.Close()
	info, err := on.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
		return false, err
	}
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < f.Size; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n := int(min(int64(len(a)), f.Size-at))
		if _, err := io.ReadFull(on, a[:n]); err != nil {
			return false, fmt.Errorf("read %s: %w", path, err)
		}
		if _, err := f.Body.ReadAt(b[:n], at); err != nil && !(err == io.EOF && at+int64(n) == f.Size) {
			return false, err
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return false, nil
		}
		at += int64(n)
	}
	return true, nil
}

// create writes a folder that is not there, or empty: under another name beside it first.
func create(ctx context.Context, folder string, files []models.File) error {
	parent := filepath.Dir(filepath.Clean(folder))
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	part := partOf(folder)
	if err := os.Mkdir(part, 0o777); err != nil {
		return err
	}
	defer os.RemoveAll(part)
	for _, f := range files {
		if err := writeFile(ctx, filepath.Join(part, filepath.FromSlash(f.Name)), f); err != nil {
			return err
		}
	}
	if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) { // only an empty one is removed
		return err
	}
	return os.Rename(part, folder)
}

// partOf returns the name under which a folder or a file is written first. os.MkdirTemp and
// os.CreateTemp would leave out the group that the umask lets in.
func partOf(path string) string {
	path = filepath.Clean(path)
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.part-%d", filepath.Base(path), rand.Uint64()))
}

// partOfFile matches the files that writeFile leaves behind where the program is killed.
var partOfFile = regexp.MustCompile(`^\..+\.part-[0-9]+$`)

// replace writes a folder in place of another, which must hold nothing but files of models.
func replace(ctx context.Context, folder string, files []models.File) error {
	known := []string{readmeFile, "cfg.json", "config.json", "result.json", "curve.json", "reference"}
	for _, f := range models.Formats() {
		known = append(known, f.Weights())
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	inside, err := os.ReadDir(filepath.Join(folder, "reference"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range slices.Concat(entries, inside) {
		if !slices.Contains(known, e.Name()) && !partOfFile.MatchString(e.Name()) {
			return fmt.Errorf("%s %w: %s, which is no file of a model and so is not replaced: move it away",
				folder, ErrOther, e.Name())
		}
	}
	old, err := os.MkdirTemp(filepath.Dir(filepath.Clean(folder)), "."+filepath.Base(folder)+".old-")
	if err != nil {
		return err
	}
	part, away := filepath.Join(old, "new"), filepath.Join(old, "old")
	if err = create(ctx, part, files); err == nil {
		err = os.Rename(folder, away)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(old))
	}
	if err := os.Rename(part, folder); err != nil {
		if back := os.Rename(away, folder); back != nil { // keep what was there
			return fmt.Errorf("%w; what was there is now %s: %w", err, away, back)
		}
		return errors.Join(err, os.RemoveAll(old))
	}
	return os.RemoveAll(old)
}

// writeFile writes a file under another name first, so that no reader finds a part of it.
func writeFile(ctx context.Context, path string, f models.File) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	part, err := os.OpenFile(partOf(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			part.Close()
			os.Remove(part.Name())
		}
	}()
	from := io.NewSectionReader(f.Body, 0, f.Size)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(part, from, 16<<20); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	if err := errors.Join(ctx.Err(), part.Sync()); err != nil {
		return err
	}
	if err := part.Close(); err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}
