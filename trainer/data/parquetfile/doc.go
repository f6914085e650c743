// Package parquetfile reads the vectors of a column of lists from Apache Parquet files. Their pages are encoded and
// compressed, so that a row cannot be read by itself: the caller writes all of them to a file.
//
// It reads what columns of floating-point numbers can be: the encodings plain, dictionary and byte stream split, in
// pages of both versions. It trusts nothing of a file. No length that a file states is allocated before the bytes are
// there, or before it is held against a bound; and runs are read piece by piece, however long they are said to be.
package parquetfile

import (
	"errors"
	"fmt"
)

// These bound what a file may state. Real files stay far below.
const (
	maxFooter  = 64 << 20 // bytes
	maxTypes   = 1 << 16  // with those in others
	maxChunks  = 1 << 20  // of all columns and row groups
	maxName    = 64 << 10 // bytes of a column's name
	maxDepth   = 64       // of types in others
	maxPage    = 1 << 30  // bytes of a page that is not compressed
	maxHeader  = 1 << 20  // bytes of a page's header
	maxNumbers = 1 << 20  // of a vector: no row of activations is wider
)

// A formatError says what is wrong with a file.
type formatError string

func (e formatError) Error() string { return string(e) }

func bad(format string, a ...any) error { return formatError(fmt.Sprintf(format, a...)) }

// errDamaged says that parts of a file contradict each other.
const errDamaged = formatError("its content is damaged: copy or write it again")

// IsFormat reports whether an error is about the content of a file, and not of reading it.
func IsFormat(err error) bool { return errors.As(err, new(formatError)) }
