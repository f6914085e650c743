package disk

import (
	"os"
	"strconv"
	"strings"
)

// mountOf returns the device and the mount point of the disk of a path, which is absolute
// and without links. Both are empty where the system has no list of mounts.
func mountOf(path string) (device, mount string) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", ""
	}
	return findMount(string(b), path)
}

// findMount finds the mount of a path in the text of Linux's mountinfo. That is the one
// with the longest mount point above the path; of several on one point, the last one
// hides the others. A line reads
//
//	36 35 98:0 / /mnt/a\040b rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue
//
// where the fifth field is the mount point and the second after the dash is the device.
// Before the dash stand any number of optional fields.
func findMount(mountinfo, path string) (device, mount string) {
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields, source := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(source) < 2 {
			continue
		}
		point := unescape(fields[4])
		if len(point) >= len(mount) && within(path, point) {
			device, mount = unescape(source[1]), point
		}
	}
	return device, mount
}

// within says that path is dir or lies below it.
func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// unescape undoes the escapes of mountinfo: \040 is a space.
func unescape(s string) string {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || len(s) < i+4 {
			return out.String() + s
		}
		out.WriteString(s[:i])
		if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
			out.WriteByte(byte(n))
			s = s[i+4:]
			continue
		}
		out.WriteByte('\\')
		s = s[i+1:]
	}
}
