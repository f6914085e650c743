package activities

import "github.com/topksweep/sweep/trainer"

// Fits returns an error that wraps trainer.ErrMemory if the host cannot hold a run
// of c. Where that cannot be known, it returns nil.
func Fits(b trainer.Backend, c trainer.Config) error {
	m := memory{capacity: hostCapacity}
	release, err := m.reserve(hostBytes(b, c))
	if err != nil {
		return err
	}
	release()
	return nil
}
