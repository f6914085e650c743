//go:build !linux

package dir_test

import "errors"

func badDisks(string) error { return errors.ErrUnsupported }
