package torchfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// What a zip archive is made of, from PKWARE's APPNOTE.TXT 6.3.10:
//
//	for each entry    a local header (4.3.7), and its bytes, which are stored as they are
//	at the end        a central header for each entry (4.3.12), the zip64 record and its locator (4.3.14, 4.3.15),
//	                  the end record (4.3.16)
//
// The data of each entry begin at a multiple of 64, as torch.save has it: a field of the local header fills up. A tensor
// can then be mapped into memory where it lies.
const (
	alignment = 64
	folder    = "archive/" // all entries lie in one folder, whose name is free

	localMark   = 0x04034b50
	centralMark = 0x02014b50
	end64Mark   = 0x06064b50
	locateMark  = 0x07064b50
	endMark     = 0x06054b50

	utf8Flag   = 1 << 11
	zip64Field = 0x0001
	padField   = 0x4246 // "FB", as torch.save names it
	firstDay   = 0x0021 // 1 January 1980: an archive has no time, so that equal entries give equal bytes
	most32     = math.MaxUint32
	most16     = math.MaxUint16
	maxBytes   = 1 << 60 // of one tensor: sums of sizes cannot overflow
)

// A zipWriter lays out an archive.
type zipWriter struct {
	parts   []part
	at      int64  // where the next part begins
	central []byte // the central headers so far
	count   int
}

// put adds bytes.
func (w *zipWriter) put(b []byte) {
	w.parts = append(w.parts, part{begin: w.at, end: w.at + int64(len(b)), bytes: b})
	w.at += int64(len(b))
}

// add adds a small entry.
func (w *zipWriter) add(name string, b []byte) {
	w.header(name, int64(len(b)), crc32.ChecksumIEEE(b))
	w.put(b)
}

// addData adds an entry of size bytes that are read later.
func (w *zipWriter) addData(name string, data io.ReaderAt, size int64, crc uint32) {
	w.header(name, size, crc)
	if size > 0 {
		w.parts = append(w.parts, part{begin: w.at, end: w.at + size, data: data})
		w.at += size
	}
}

// header adds the local header of an entry, and keeps its central header. Sizes and offsets from 4 GiB on lie in a field
// of their own.
func (w *zipWriter) header(name string, size int64, crc uint32) {
	name = folder + name
	le := binary.LittleEndian
	start := w.at
	version, size32 := uint16(20), uint32(most32)
	var long, longCentral []byte
	if size >= most32 {
		long = le.AppendUint64(le.AppendUint64(nil, uint64(size)), uint64(size))
		longCentral = long
	} else {
		size32 = uint32(size)
	}
	start32 := uint32(most32)
	if start >= most32 {
		longCentral = le.AppendUint64(longCentral[:len(longCentral):len(longCentral)], uint64(start))
	} else {
		start32 = uint32(start)
	}
	if len(longCentral) > 0 {
		version = 45
	}

	extra := field(nil, zip64Field, long)
	pad := (start + 30 + int64(len(name)+len(extra)) + 4) % alignment
	extra = field(extra, padField, fill((alignment-pad)%alignment))

	b := le.AppendUint32(nil, localMark)
	b = appendCommon(b, version, crc, size32, len(name), len(extra))
	b = append(append(b, name...), extra...)
	w.put(b)

	extra = field(nil, zip64Field, longCentral)
	c := le.AppendUint16(le.AppendUint32(w.central, centralMark), version)
	c = appendCommon(c, version, crc, size32, len(name), len(extra))
	c = append(c, make([]byte, 2+2+2+4)...) // no comment, disk 0, no attributes
	c = le.AppendUint32(c, start32)
	w.central = append(append(c, name...), extra...)
	w.count++
}

// appendCommon appends what both kinds of header of an entry share: from the version to the length of the fields.
func appendCommon(b []byte, version uint16, crc, size uint32, name, extra int) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, version)
	b = le.AppendUint16(b, utf8Flag)
	b = le.AppendUint16(b, 0) // stored
	b = le.AppendUint16(b, 0) // midnight
	b = le.AppendUint16(b, firstDay)
	b = le.AppendUint32(b, crc)
	b = le.AppendUint32(b, size)
	b = le.AppendUint32(b, size)
	b = le.AppendUint16(b, uint16(name))
	return le.AppendUint16(b, uint16(extra))
}

// field appends an extra field, or nothing for an empty one of zip64.
func field(b []byte, id uint16, content []byte) []byte {
	if id == zip64Field && len(content) == 0 {
		return b
	}
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(content)))
	return append(b, content...)
}

// fill returns n letters Z.
func fill(n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'Z'
	}
	return b
}

// finish adds the end of the archive, and returns the file.
func (w *zipWriter) finish() (*File, error) {
	le := binary.LittleEndian
	start, size, count := uint64(w.at), uint64(len(w.central)), uint64(w.count)
	b := w.central
	b = le.AppendUint64(le.AppendUint32(b, end64Mark), 44) // 44 bytes follow
	b = le.AppendUint16(le.AppendUint16(b, 45), 45)
	b = append(b, make([]byte, 4+4)...) // disk 0
	b = le.AppendUint64(le.AppendUint64(b, count), count)
	b = le.AppendUint64(le.AppendUint64(b, size), start)

	b = le.AppendUint32(le.AppendUint32(b, locateMark), 0)
	b = le.AppendUint32(le.AppendUint64(b, start+size), 1) // one disk

	b = le.AppendUint32(le.AppendUint32(b, endMark), 0) // disk 0
	count16 := uint16(min(count, most16))
	b = le.AppendUint16(le.AppendUint16(b, count16), count16)
	b = le.AppendUint32(b, uint32(min(size, most32)))
	b = le.AppendUint32(b, uint32(min(start, most32)))
	b = le.AppendUint16(b, 0) // no comment
	w.put(b)
	return &File{parts: w.parts, size: w.at}, nil
}

// checksum reads an entry's size bytes, and returns their CRC-32.
func checksum(e Entry, size int64) (uint32, error) {
	h := crc32.NewIEEE()
	n, err := io.CopyBuffer(onlyWriter{h}, io.NewSectionReader(e.Data, 0, size), make([]byte, min(size, 1<<20)+1))
	if err != nil {
		return 0, fmt.Errorf("read its data: %w", err)
	}
	if n != size {
		return 0, fmt.Errorf("its data end after %d bytes; dtype %s and shape %v take %d", n, e.DType, e.Shape, size)
	}
	return h.Sum32(), nil
}

// An onlyWriter hides all methods but Write, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }
