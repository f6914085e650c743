package chunks

import (
	"errors"
	"os"
)

// Usable makes the folder, and returns why no chunk can be kept in it: it is nil where only room is missing.
func (c *Cache) Usable() error {
	if c.dir == "" {
		return errors.New("there is no folder for it")
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.dir, ".probe")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Part returns how many bytes a chunk has, but for the first and the last one of an object.
func (c *Cache) Part() int64 { return c.chunk }
