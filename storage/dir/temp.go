package dir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// unlockable is how old a temporary file must be to count as left behind where
// the file system cannot tell by its lock.
const unlockable = 24 * time.Hour

// temp creates a temporary file and locks it. Whoever opens the store may take
// it for a leftover in between and remove it: then another one is made.
func (s *Store) temp() (*os.File, error) {
	for {
		f, err := os.OpenFile(filepath.Join(s.tmp, rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if errors.Is(err, fs.ErrNotExist) { // somebody tidied up "+tmp" itself
			if err := mkdir(s.tmp); err != nil {
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
