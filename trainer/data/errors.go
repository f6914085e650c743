package data

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
)

// ErrBad is in the chain of every error for which trying again does not help: the data
// are wrong, or the spec asks for what they cannot give.
var ErrBad = errors.New("bad data")

// A SourceError says what is wrong with a data source or with its spec.
type SourceError struct {
	Source string // as the spec gives it; may be empty
	Msg    string // what is wrong and what to do
	Err    error  // the cause, if there is one
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

func (e *SourceError) Unwrap() error        { return e.Err }
func (e *SourceError) Is(target error) bool { return target == ErrBad }

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

// fileError turns a missing or forbidden file into a SourceError: trying again does not
// help. Other errors it returns as they are: a failing disk or network may recover.
func fileError(file string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return &SourceError{Source: file, Err: cause(err)}
	}
	return err
}

// cause returns the error behind an fs.PathError, without the operation and the path.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
