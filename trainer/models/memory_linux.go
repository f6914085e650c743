package models

import (
	"math"
	"syscall"
)

// memory returns how many bytes weights may take: those of the machine, or of the process where it is limited.
func memory() int64 {
	most := uint64(math.MaxInt64)
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err == nil && info.Totalram > 0 {
		most = min(most, uint64(info.Totalram)*uint64(info.Unit))
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &limit); err == nil {
		most = min(most, limit.Cur)
	}
	return int64(most)
}
