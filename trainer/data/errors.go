package data

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"syscall"
)

// ErrBad is in the chain of every error for which trying again does not help: the data
// are wrong, or the spec asks for what they cannot give.
var ErrBad = errors.New("bad data")

// ErrMissing is in the chain of errors that say what is not there on this machine, or may
// not be read here. Another machine may have it. Such errors are ErrBad too.
var ErrMissing = errors.New("missing data")

// An evalSourceError is an error about eval_source.
type evalSourceError struct{ error }

func (e evalSourceError) Unwrap() error { return e.error }

// ofEvalSource marks an error, or each of those that are joined in it, as one about eval_source.
func ofEvalSource(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if _, mixed := err.(*mixedError); !ok || mixed {
		return evalSourceError{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, ofEvalSource(e))
	}
	return errors.Join(all...)
}

// OfEvalSource reports whether an error of Open is about eval_source, not about source.
func OfEvalSource(err error) bool { return errors.As(err, new(evalSourceError)) }

// A ReadError says that a read has failed: of a disk or a network, not of what was read.
// Another try may succeed, so ErrBad is never in its chain.
type ReadError struct {
	File   string // or folder
	Offset int64  // in bytes; −1 if it was not being read
	Err    error  // the cause, such as syscall.EIO
}

func (e *ReadError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("read %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("read %s at byte %d: %v", e.File, e.Offset, e.Err)
}

func (e *ReadError) Unwrap() error { return e.Err }

// A SourceError says what is wrong with a data source or with its spec.
type SourceError struct {
	Source  string // as the spec gives it, or a path in it; may be empty
	Msg     string // what is wrong and what to do
	Err     error  // the cause, if there is one
	Missing bool   // whether the error is ErrMissing
}

func (e *SourceError) Error() string {
	msg := "data"
	if e.Source != "" {
		msg += " " + e.Source
	}
	if e.Msg != "" {
		msg += ": " + e.Msg
	}
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

func (e *SourceError) Unwrap() error { return e.Err }

func (e *SourceError) Is(target error) bool {
	return target == ErrBad || target == ErrMissing && e.Missing
}

// A ShardError says what is wrong with one shard.
type ShardError struct {
	File string
	Msg  string // what is wrong and what to do
}

func (e *ShardError) Error() string        { return "shard " + e.File + ": " + e.Msg }
func (e *ShardError) Is(target error) bool { return target == ErrBad }

// A BadRowError names a row with a value that is not a finite float32.
type BadRowError struct {
	File  string
	Row   int64   // in the file, from 0
	Col   int     // the first column with such a value, from 0
	Value float32 // the value, after scaling
	More  int64   // how many further bad rows of this file the same scan found
}

func (e *BadRowError) Error() string {
	what := fmt.Sprint(e.Value)
	if math.IsInf(float64(e.Value), 0) {
		what += " (or more than float32 holds)"
	}
	msg := fmt.Sprintf("shard %s: row %d: %s in column %d", e.File, e.Row, what, e.Col)
	if e.More > 0 {
		msg += fmt.Sprintf(", and at least %d more such rows", e.More)
	}
	return msg + ": leave such rows out when you write shards; sweep data inspect lists them"
}

func (e *BadRowError) Is(target error) bool { return target == ErrBad }

// fileError turns an error of the file system into one of this package: a SourceError for
// a path that is wrong, missing or forbidden, and a ReadError for all else, such as a
// failing disk or network.
func fileError(file string, err error) error {
	switch err = cause(err); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
		return &SourceError{Source: file, Missing: true, Err: err}
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG):
		return &SourceError{Source: file, Err: err}
	}
	return &ReadError{File: file, Offset: -1, Err: err}
}

// cause returns the error behind an fs.PathError, without the operation and the path.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// A mixedError joins errors of which some may pass. Its chain holds only these, so that
// it is tried again.
type mixedError struct {
	msg     string // of all
	passing []error
}

func (e *mixedError) Error() string   { return e.msg }
func (e *mixedError) Unwrap() []error { return e.passing }

// joinErrors joins errors. If one of them is not ErrBad, the whole is not: what is bad
// shows again when the other has passed.
func joinErrors(errs []error) error {
	all := errors.Join(errs...)
	passing := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return errors.Is(err, ErrBad) })
	if len(passing) == 0 || len(passing) == len(errs) {
		return all
	}
	return &mixedError{all.Error(), passing}
}
