package storage

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBadKey is returned for a key or prefix that no store accepts.
var ErrBadKey = errors.New("bad key")

// A file system takes names of up to 255 bytes, S3 whole keys of up to 1024:
// these leave room for a temporary name's suffix and for a bucket's prefix.
const (
	maxElement = 200
	maxKey     = 700
)

// CheckKey reports whether key can name an object: slash-separated elements of
// [A-Za-z0-9._-], none of them empty, "." or "..", each at most 200 bytes and
// the whole at most 700. The error wraps ErrBadKey.
//
// No key may be another one's folder ("a" and "a/b"): a file system has no such
// pair, and a store is free to refuse the second.
func CheckKey(key string) error {
	if len(key) > maxKey {
		return fmt.Errorf("%w: %d bytes, of at most %d", ErrBadKey, len(key), maxKey)
	}
	for element := range strings.SplitSeq(key, "/") {
		if err := checkElement(element); err != nil {
			return err
		}
	}
	return nil
}

// CheckPrefix reports whether prefix can begin a key; "" begins all of them. The
// error wraps ErrBadKey.
func CheckPrefix(prefix string) error {
	last := prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		if err := CheckKey(prefix[:i]); err != nil {
			return err
		}
		last = prefix[i+1:]
	}
	if last == "" || last == "." || last == ".." { // "a/..b" is a key, so "a/.." begins one
		return nil
	}
	return checkElement(last)
}

func checkElement(e string) error {
	switch {
	case e == "":
		return fmt.Errorf("%w: empty element", ErrBadKey)
	case e == "." || e == "..":
		return fmt.Errorf("%w: element %q", ErrBadKey, e)
	case len(e) > maxElement:
		return fmt.Errorf("%w: element of %d bytes, of at most %d", ErrBadKey, len(e), maxElement)
	}
	for i := range len(e) {
		c := e[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '.' || c == '_' || c == '-') {
			return fmt.Errorf("%w: character %q", ErrBadKey, c)
		}
	}
	return nil
}
