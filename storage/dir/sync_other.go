//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dir

import (
	"errors"
	"os"
)

func lock(*os.File, bool) error { return errors.ErrUnsupported }

// syncDir does nothing: these systems keep names without it, or have no call for it.
func syncDir(string) error { return nil }
