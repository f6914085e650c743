package torchfile

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	maxFiles     = 1 << 16 // entries of an archive
	maxDirectory = 16 << 20
	localHeader  = 30 // bytes before the name of an entry
)

// An archive is a zip archive whose entries are all stored as they are, apart from each other.
type archive struct {
	r        io.ReaderAt
	prefix   string // the folder that all entries of torch lie in, with its slash
	entries  map[string]entry
	storages map[string]*data
}

// An entry is where the bytes of an archive's file lie.
type entry struct {
	begin, size int64
	crc         uint32
}

// checkKind names other kinds of zip archives of torch, by the names of their entries.
func checkKind(files []*zip.File, prefix string) error {
	found := false
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Name, prefix)
		switch {
		case !ok:
		case name == "constants.pkl" || strings.HasPrefix(name, "code/"):
			return refuse("the file is an archive of TorchScript, which holds a program; load it in Python with "+
				"torch.jit.load, and %s", tensorsAlone)
		case name == "archive_format" || strings.HasPrefix(name, "models/"):
			return refuse("the file is a program of torch.export; load it in Python with torch.export.load, and %s",
				tensorsAlone)
		case name == "data.pkl":
			found = true
		}
	}
	if !found {
		return bad("the zip archive has no %s: torch.save did not write it", clip(prefix+"data.pkl"))
	}
	return nil
}

// openArchive reads the directory of an archive of size bytes.
func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	limited := &limitedReader{r: r, size: size, left: maxDirectory}
	z, err := zip.NewReader(limited, size)
	switch {
	case limited.err != nil:
		return nil, fmt.Errorf("read the archive's directory: %w", limited.err)
	case err != nil:
		return nil, bad("the zip archive cannot be read, so the file is of another kind, damaged or cut off: %v", err)
	case len(z.File) == 0:
		return nil, bad("the zip archive is empty")
	case len(z.File) > maxFiles:
		return nil, refuse("the zip archive has %d entries, more than the %d that are read", len(z.File), maxFiles)
	}
	limited.left = int64(len(z.File)+1) * localHeader
	a := &archive{r: r, entries: map[string]entry{}, storages: map[string]*data{}}
	folder, _, _ := strings.Cut(z.File[0].Name, "/")
	a.prefix = folder + "/"
	if err := checkKind(z.File, a.prefix); err != nil {
		return nil, err
	}
	type span struct {
		name         string
		header, data int64
		end          int64
	}
	var spans []span
	for _, f := range z.File {
		if err := checkEntry(f); err != nil {
			return nil, err
		}
		if _, ok := a.entries[f.Name]; ok {
			return nil, bad("the zip archive has two entries %s", clip(f.Name))
		}
		begin, err := f.DataOffset()
		if limited.err != nil {
			return nil, fmt.Errorf("read the header of %s: %w", clip(f.Name), limited.err)
		}
		n := int64(f.UncompressedSize64)
		if err != nil || begin < localHeader || begin > size || n > size-begin {
			return nil, bad("the entry %s does not lie in the file: it is damaged or cut off", clip(f.Name))
		}
		a.entries[f.Name] = entry{begin: begin, size: n, crc: f.CRC32}
		spans = append(spans, span{f.Name, begin - localHeader - int64(len(f.Name)), begin, begin + n})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.data, b.data) })
	for i := 1; i < len(spans); i++ {
		if spans[i].header < spans[i-1].end {
			return nil, bad("the entries %s and %s of the archive overlap", clip(spans[i-1].name), clip(spans[i].name))
		}
	}
	return a, nil
}

// checkEntry returns an error about an entry that torch.save does not write.
func checkEntry(f *zip.File) error {
	parts := strings.Split(f.Name, "/")
	switch {
	case f.Name == "" || strings.ContainsAny(f.Name, "\\\x00") || parts[0] == "" ||
		slices.Contains(parts, "..") || slices.Contains(parts, "."):
		return bad("the zip archive has an entry with the name %s", clip(f.Name))
	case f.Flags&1 != 0:
		return refuse("%s: the zip archive is encrypted", clip(f.Name))
	case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64:
		return refuse("%s: the zip archive is compressed, which torch.save never does; %s", clip(f.Name), tensorsAlone)
	case f.UncompressedSize64 > maxBytes:
		return bad("%s: its size is given as %d bytes", clip(f.Name), f.UncompressedSize64)
	}
	return nil
}

// A limitedReader reads at most left bytes more, so that what a directory takes in memory is bounded.
type limitedReader struct {
	r    io.ReaderAt
	size int64
	left int64
	err  error // the first, apart from that of a read past size
}

var errDirectory = fmt.Errorf("%w: it is larger than the %d MiB that are read", ErrRefused, maxDirectory>>20)

func (l *limitedReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > l.size {
		return 0, ErrFormat
	}
	if int64(len(p)) > l.left {
		l.err = cmp.Or(l.err, errDirectory)
		return 0, l.err
	}
	n, err := l.r.ReadAt(p, off)
	l.left -= int64(n)
	if err != nil && (err != io.EOF || off+int64(n) < l.size) {
		l.err = cmp.Or(l.err, noEOF(err))
	}
	return n, err
}
