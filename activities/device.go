package activities

import (
	"errors"
	"fmt"

	"github.com/topksweep/sweep/trainer"
)

// checkDevice returns the error of a device that cannot have a model of c, or that does not work any more. Whoever
// asks before the claim learns in time that it is the worker's fault: behind the claim, a broken device is one of the
// deaths that count against a cell, also where it broke under another one.
func (a *Activities) checkDevice(c trainer.Config) error {
	err := a.backend.Unsupported(c)
	if device, ok := a.backend.(trainer.FreeMemory); ok && err == nil {
		if _, failed := device.FreeMemory(); errors.Is(failed, trainer.ErrBroken) {
			err = failed
		}
	}
	if err != nil {
		return fmt.Errorf("train on %s: %w", a.backend.Name(), err)
	}
	return nil
}
