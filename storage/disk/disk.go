// Package disk says whether a folder's disk has room, and names the disk when it has
// none: its device, where it is mounted, and how much of it is free.
//
// The package may touch nothing but one small file of its own, which it removes again.
package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// An Info describes the disk that a folder lies on. What is not known is empty or -1.
type Info struct {
	Dir    string // the folder
	Device string // such as /dev/sda1, or tmpfs
	Mount  string // where the disk is mounted

	Free, Size   int64 // bytes, as a user without special rights has them
	Inodes, Most int64 // files that may still be created, and that there may be in all; Most is 0 without a limit
}

// Of returns what is known of the disk of a folder. The folder need not be there: then
// the disk is that of the nearest folder above it that is.
func Of(dir string) Info {
	dir = existing(dir)
	i := Info{Dir: dir, Free: -1, Size: -1, Inodes: -1, Most: -1}
	i.Device, i.Mount = mountOf(dir)
	i.measure()
	return i
}

// Low says that the disk is nearly full: less than a twentieth of it is free, and less than 10 GiB; or of the
// files that it can take, less than a hundredth. It is false if nothing is known.
func (i Info) Low() bool {
	low := i.Free >= 0 && i.Free < min(i.Size/20, 10<<30)
	return low || i.Most > 0 && i.Inodes >= 0 && i.Inodes < i.Most/100
}

// String reads "the disk of /srv/sweep (/dev/sda1 on /srv) has 0 B free of 1.8 TiB".
func (i Info) String() string {
	s := "the disk of " + i.Dir
	switch {
	case i.Mount != "" && i.Device != "":
		s += fmt.Sprintf(" (%s on %s)", i.Device, i.Mount)
	case i.Mount != "":
		s += fmt.Sprintf(" (mounted on %s)", i.Mount)
	}
	if i.Size < 0 {
		return s
	}
	s += fmt.Sprintf(" has %s free of %s", bytes(i.Free), bytes(i.Size))
	if i.Most > 0 && i.Inodes == 0 {
		s += fmt.Sprintf(", and no inode free of %d: it can take no more files", i.Most)
	}
	return s
}

// An Error says why nothing can be written to a folder. It wraps the kernel's error.
type Error struct {
	Disk   Info
	Wanted int64         // bytes that were to be written
	Cause  syscall.Errno // ENOSPC, EDQUOT or EROFS
}

// Error reads "no space left on device for 256 KiB: the disk of /srv/sweep has 0 B free of
// 1.8 TiB; make room there".
func (e *Error) Error() string {
	wanted := ""
	if e.Full() {
		wanted = " for " + bytes(e.Wanted)
	}
	return fmt.Sprintf("%v%s: %v; %s", e.Cause, wanted, e.Disk, remedy(e.Cause))
}

// remedy says what to do about a disk that takes no more.
func remedy(errno syscall.Errno) string {
	switch errno {
	case syscall.EROFS:
		return "make it writable"
	case syscall.EDQUOT:
		return "make room within the quota"
	}
	return "make room there"
}

// Unwrap returns the kernel's error.
func (e *Error) Unwrap() error { return e.Cause }

// Full says that the disk or the quota is full. Room may come by itself. It is false
// for a disk that is read-only.
func (e *Error) Full() bool { return e.Cause != syscall.EROFS }

// cause returns the kernel's error in err if it says that a disk takes no more.
func cause(err error) (syscall.Errno, bool) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if errors.Is(err, errno) {
			return errno, true
		}
	}
	return 0, false
}

// Explain adds to an error of a write in dir which disk takes no more and what is free
// on it, and what to do. It returns any other error as it is.
func Explain(dir string, err error) error {
	errno, ok := cause(err)
	if !ok || errors.As(err, new(*Error)) || errors.As(err, new(*explained)) {
		return err
	}
	return &explained{err, errno, Of(dir)}
}

type explained struct {
	err   error
	errno syscall.Errno
	disk  Info
}

func (e *explained) Error() string { return fmt.Sprintf("%v: %v; %s", e.err, e.disk, remedy(e.errno)) }
func (e *explained) Unwrap() error { return e.err }

// Disk is the part of Error that says what is the matter with which disk.
func (e *explained) Disk() string { return fmt.Sprintf("%v: %v; %s", e.errno, e.disk, remedy(e.errno)) }

// Probe writes a file of some bytes in dir and removes it. The error is an *[Error] if the
// disk did not take it: it is full, a quota is used up, or it is read-only. The free bytes
// that a disk states are not enough to know that. Any other failure, as that of a missing
// right, says nothing about room, and is no error here.
func Probe(dir string, size int64) error {
	if errno, ok := cause(probe(dir, size)); ok {
		return &Error{Disk: Of(dir), Wanted: size, Cause: errno}
	}
	return nil
}

func probe(dir string, size int64) error {
	f, err := os.CreateTemp(dir, "+probe-*") // a name that no key of a store has
	if err != nil {
		return err
	}
	// Where the system lets it, the name goes at once: a killed process leaves nothing.
	os.Remove(f.Name())
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, size))
	return errors.Join(err, f.Close()) // a network file system may say it only at the close
}
