package chunks

import "os"

// Hold locks a file that this process has just made, so that RemoveUnused keeps it until it is closed. It reports false
// if another process has removed the file, or is about to. Where a file system has no locks, it always does.
func Hold(f *os.File) bool { return tryLock(f) && same(f, f.Name()) }

// RemoveUnused removes a file that no process holds: one that a killed process left. It reports whether it did.
func RemoveUnused(name string) bool { return removeUnused(name) }
