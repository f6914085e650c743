//go:build !linux

package dir_test

import "errors"

func disk(string) error { return errors.ErrUnsupported }
