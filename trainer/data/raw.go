package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data/arrowfile"
)

// rawDType returns the dtype that a spec names.
func rawDType(name string) (dtype, bool) {
	switch name {
	case "f16":
		return f16, true
	case "bf16":
		return bf16, true
	case "f32":
		return f32, true
	case "f64":
		return f64, true
	}
	return "", false
}

// checkRaw returns what is wrong with a spec's description of bare numbers.
func checkRaw(r trainer.Raw) error {
	switch _, known := rawDType(r.DType); {
	case !known:
		return fmt.Errorf("dtype %q is not one of f16, bf16, f32, f64", r.DType)
	case r.Width < 1 || r.Width > maxDim:
		return fmt.Errorf("width %d is not from 1 to %d", r.Width, maxDim)
	case r.Offset < 0:
		return fmt.Errorf("offset %d is negative", r.Offset)
	}
	return nil
}

// rawLayout returns where the rows are in a file of bare numbers of size bytes.
func rawLayout(name string, r trainer.Raw, file io.ReaderAt, size int64) (l layout, err error) {
	if err := refuseHeaders(name, r, file, size); err != nil {
		return l, err
	}
	l.dtype, _ = rawDType(r.DType)
	l.dim, l.start = r.Width, r.Offset
	room := size - r.Offset
	if room < 0 {
		return l, fmt.Errorf("it holds %d bytes, less than the data.raw.offset of %d", size, r.Offset)
	}
	if over := room % l.rowBytes(); over != 0 {
		behind := ""
		if r.Offset > 0 {
			behind = fmt.Sprintf(" behind the first %d", r.Offset)
		}
		return l, fmt.Errorf("its %d bytes%s are no whole rows: a row of %d numbers in %s takes %d bytes, and %d are left: "+
			"look at data.raw, or copy the file again", room, behind, r.Width, r.DType, l.rowBytes(), over)
	}
	l.rows = room / l.rowBytes()
	return l, nil
}

// refuseHeaders returns an error for a file that says by itself what it holds, in its name or at its beginning: its
// header would be rows. An offset may lie behind the header of a file with another ending.
func refuseHeaders(name string, r trainer.Raw, file io.ReaderAt, size int64) error {
	const says = "data.raw says that it holds bare numbers, and "
	if isShard(name) {
		return fmt.Errorf(says+"it has the ending %s: leave out data.raw, or rename the file", filepath.Ext(name))
	}
	if r.Offset > 0 {
		return nil
	}
	var lead [8]byte
	n, err := file.ReadAt(lead[:], 0)
	if err != nil && err != io.EOF {
		return err
	}
	for _, known := range []struct{ magic, what string }{
		{npyMagic, "a .npy file: leave out data.raw, and give it that ending"},
		{"PK\x03\x04", "an archive such as torch.save and numpy.savez write"},
		{"\x89HDF\r\n", "an HDF5 file"},
		{"PAR1", "a Parquet file: leave out data.raw, and give it the ending .parquet"},
		{"ARROW1", "an Arrow file: leave out data.raw, and give it the ending .arrow"},
	} {
		if bytes.HasPrefix(lead[:n], []byte(known.magic)) {
			return errors.New(says + "it begins as " + known.what)
		}
	}
	if binary.LittleEndian.Uint32(lead[:]) == 0xffffffff {
		if _, err := arrowfile.Open(file, size); err == nil {
			return errors.New(says + "it begins as an Arrow stream: leave out data.raw, and give it the ending .arrow")
		}
	}
	if isHeader(file, int64(binary.LittleEndian.Uint64(lead[:])), size) {
		return errors.New(says + "it begins as a .safetensors file: leave out data.raw, and give it that ending")
	}
	return nil
}

// isHeader reports whether a file begins with the header of a .safetensors file: with its length, and that many bytes
// of JSON.
func isHeader(file io.ReaderAt, length, size int64) bool {
	if length < 2 || length > size-8 {
		return false
	}
	var first [2]byte
	var last [1]byte
	if n, _ := file.ReadAt(first[:], 8); n < len(first) || string(first[:]) != `{"` && string(first[:]) != "{}" {
		return false
	}
	n, _ := file.ReadAt(last[:], 8+length-1)
	return n == 1 && (last[0] == '}' || last[0] == ' ') // it may be padded
}
