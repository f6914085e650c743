package models

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Agree returns an error if a folder's ae.pt is damaged, or has other weights than m, which was read from the folder's
// safetensors file. Those have no checksums; ae.pt has. A folder without an ae.pt agrees.
func Agree(folder fs.FS, m *Model) error {
	other, err := readDict(folder, dictWeights)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !slices.Equal(other.W.WEnc, m.W.WEnc) || !slices.Equal(other.W.BEnc, m.W.BEnc) ||
		!slices.Equal(other.W.WDec, m.W.WDec) || !slices.Equal(other.W.BDec, m.W.BDec) {
		return fmt.Errorf("%s holds other weights than the safetensors file beside it: one of them is damaged", dictWeights)
	}
	return nil
}
