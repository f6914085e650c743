package torchfile

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

var (
	// ErrFormat is in the chain of every error about a file that is damaged, or is not one of torch.save.
	ErrFormat = errors.New("not a valid file of torch.save")

	// ErrRefused is in the chain of every error about a file that is as Python writes it, but holds what this package
	// does not read: other things than tensors and plain containers, another container, or too much.
	ErrRefused = errors.New("refused")
)

// bad returns an error with ErrFormat in its chain.
func bad(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, a...))
}

// refuse returns an error with ErrRefused in its chain.
func refuse(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, a...))
}

// tensorsAlone says what to do about a file that holds more than tensors.
const tensorsAlone = "save the tensors alone in Python: torch.save(model.state_dict(), PATH)"

// clip shortens a text that a file holds, and quotes it if it is not a plain name.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	plain := func(r rune) bool {
		return r > ' ' && r < 0x7f && r != '"' && r != '`' && r != '\\'
	}
	if s == "" || strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) >= 0 {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// noEOF returns io.ErrUnexpectedEOF for io.EOF, and other errors as they are.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
