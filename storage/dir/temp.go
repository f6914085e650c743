package dir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// staleAfter is the age at which a temporary file counts as left behind on a file
// system without locks.
const staleAfter = 24 * time.Hour

// temp creates a temporary file and locks it. Between the two, a process that opens
// the store may take the file for a leftover and remove it: then temp makes another.
func (s *Store) temp() (*os.File, error) {
	for {
		f, err := os.OpenFile(filepath.Join(s.tmp, rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if errors.Is(err, fs.ErrNotExist) { // somebody removed "+tmp" itself
			if err := s.isThere(); err != nil {
				return nil, err
			}
			if err := mkdir(s.tmp, dirMode); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := lock(f, true); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			os.Remove(f.Name())
			f.Close()
			return nil, err
		}
		if _, err := os.Lstat(f.Name()); err == nil {
			return f, nil
		}
		f.Close()
	}
}
