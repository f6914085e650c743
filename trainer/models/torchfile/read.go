package torchfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// Read reads a file of size bytes that torch.save wrote, and returns the object that it holds. Nothing of the file is
// run: it may come from anyone. r must stay open while the tensors of the value are in use: each reads its elements
// when it is asked for them, so that a large file takes little memory.
//
// An error has ErrFormat in its chain if the file is damaged or is of another kind, ErrRefused if it holds what this
// package does not read. Other errors are those of r.
func Read(r io.ReaderAt, size int64) (Value, error) {
	if err := checkStart(r, size); err != nil {
		return nil, err
	}
	a, err := openArchive(r, size)
	if err != nil {
		return nil, err
	}
	order, err := a.byteOrder()
	if err != nil {
		return nil, err
	}
	data, err := a.readSmall("data.pkl", maxPickle)
	if err != nil {
		return nil, err
	}
	m := &machine{data: data, memo: map[uint64]any{}, storage: func(key string, k kind, dtype string) (*storage, error) {
		return a.storage(key, k, dtype, order)
	}}
	object, err := m.run()
	if err != nil {
		return nil, fmt.Errorf("data.pkl: %w", err)
	}
	f := &finisher{done: map[any]finished{}, busy: map[any]bool{}}
	v, err := f.finish(object, 0)
	if err != nil {
		return nil, fmt.Errorf("data.pkl: %w", err)
	}
	return v.value, nil
}

// maxPickle is the largest data.pkl that is read: it takes about 200 bytes a tensor.
const maxPickle = 16 << 20

// legacyMark begins a file of torch.save from before version 1.6: a pickle of the number 0x1950a86a20f9469cfc6c.
var legacyMark = []byte("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")

// checkStart names other kinds of files by their first bytes. Those it does not know pass.
func checkStart(r io.ReaderAt, size int64) error {
	if size <= 0 {
		return bad("the file is empty")
	}
	start := make([]byte, min(size, 32))
	if _, err := r.ReadAt(start, 0); err != nil && err != io.EOF {
		return fmt.Errorf("read the start of the file: %w", err)
	}
	const again = "load it in Python, and save it again with torch.save of today"
	switch {
	case bytes.HasPrefix(start, []byte("PK")):
		return nil
	case len(start) > 2 && bytes.HasPrefix(start[2:], legacyMark):
		return refuse("the file has the format of torch before version 1.6, without a zip archive; %s", again)
	case start[0] == opProto:
		return refuse("the file is a bare pickle, without the zip archive of torch.save; %s", again)
	case bytes.HasPrefix(start, []byte("version https://git-lfs")):
		return bad("the file is a pointer of Git LFS: fetch the file itself, with git lfs pull")
	case bytes.HasPrefix(start, []byte("\x93NUMPY")):
		return bad("the file is an array of NumPy (.npy)")
	case len(start) > 9 && start[8] == '{' && binary.LittleEndian.Uint64(start) < 1<<32:
		return bad("the file looks like safetensors: name it *.safetensors")
	}
	return nil
}

// byteOrder returns the order of the bytes of a number. Files without an entry for it are little-endian.
func (a *archive) byteOrder() (binary.ByteOrder, error) {
	if _, ok := a.entries[a.prefix+"byteorder"]; !ok {
		return binary.LittleEndian, nil
	}
	b, err := a.readSmall("byteorder", 16)
	if err != nil {
		return nil, err
	}
	switch strings.TrimSpace(string(b)) {
	case "little":
		return binary.LittleEndian, nil
	case "big":
		return binary.BigEndian, nil
	}
	return nil, bad("byteorder: it is %s, neither little nor big", clip(string(b)))
}

// readSmall reads an entry of at most limit bytes, and checks its checksum.
func (a *archive) readSmall(name string, limit int64) ([]byte, error) {
	e := a.entries[a.prefix+name]
	if e.size > limit {
		return nil, refuse("%s: it has %d bytes, more than the %d that are read", name, e.size, limit)
	}
	b := make([]byte, e.size)
	if n, err := a.r.ReadAt(b, e.begin); n < len(b) {
		return nil, fmt.Errorf("%s: read its bytes: %w", name, noEOF(err))
	}
	if crc32.ChecksumIEEE(b) != e.crc {
		return nil, bad("%s: it is damaged: its checksum differs", name)
	}
	return b, nil
}

// storage returns the storage that a pickle knows by key.
func (a *archive) storage(key string, k kind, dtype string, order binary.ByteOrder) (*storage, error) {
	name := a.prefix + "data/" + key
	e, ok := a.entries[name]
	if !ok {
		return nil, bad("the archive has no %s, which the pickle names", clip(name))
	}
	s := a.storages[name]
	if s == nil {
		s = &data{r: a.r, name: "data/" + key, entry: e}
		a.storages[name] = s
	}
	return &storage{data: s, dtype: dtype, kind: k, order: order, elements: e.size / k.size}, nil
}
