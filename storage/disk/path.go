package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// existing returns dir as an absolute path without links, or the nearest folder above it
// that is there.
func existing(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	for {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return real
		}
		above := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || above == dir {
			return dir
		}
		dir = above
	}
}

// Same says that two folders, or what is there of them, lie on one disk, as far as the
// system tells.
func Same(a, b string) bool {
	infoA, errA := os.Stat(existing(a))
	infoB, errB := os.Stat(existing(b))
	return errA == nil && errB == nil && device(infoA) != 0 && device(infoA) == device(infoB)
}

// bytes writes a number of bytes with a unit, as 12.5 MiB.
func bytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	x, unit := float64(n), 0
	for ; x >= 1<<10 && unit < len("KMGTPE"); unit++ {
		x /= 1 << 10
	}
	return fmt.Sprintf("%.3g %ciB", x, "KMGTPE"[unit-1])
}
