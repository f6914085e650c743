package data

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A checkedFile is a shard's file whose errors say whose fault they are. A read of bytes
// that were there when the file was opened ends in a ShardError if the file is shorter
// now, and in a ReadError otherwise. It never ends in io.EOF.
type checkedFile struct {
	shardFile
	name string
}

// openChecked opens a shard whose errors say whose fault they are.
func openChecked(ctx context.Context, files opener, name string) (shardFile, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return checkedFile{f, name}, nil
}

func (f checkedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.shardFile.ReadAt(p, off)
	end := off + int64(n)
	if n == len(p) || err == io.EOF && end >= f.Size() {
		return n, err
	}
	return n, f.explain(end, err)
}

// explain returns the error of a read that ended at an offset before the file's end.
func (f checkedFile) explain(off int64, err error) error {
	if errors.Is(err, ErrChanged) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		info, statErr := f.Stat()
		switch {
		case statErr != nil:
			err = statErr
		case info.Size() < f.Size():
			return &ShardError{f.name, fmt.Sprintf("holds %d bytes, and held %d: it was cut short after it was opened: "+
				"copy or write it again", info.Size(), f.Size())}
		default:
			err = io.ErrUnexpectedEOF
		}
	}
	return &ReadError{f.name, off, cause(err)}
}
