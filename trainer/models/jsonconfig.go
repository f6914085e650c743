package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"regexp"
	"strings"
)

// maxConfig is the largest config file that is read, in bytes.
const maxConfig = 16 << 20

// A config is a JSON object of a tool. Its methods give values by key, and errors that name the file and the key.
type config struct {
	file string // and, behind it, the key of the object in it
	keys map[string]json.RawMessage
}

// readConfig reads a JSON object. The error has fs.ErrNotExist in its chain where there is no file.
func readConfig(fsys fs.FS, name string) (config, error) {
	f, _, err := openFile(fsys, name)
	if err != nil {
		return config{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return config{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxConfig {
		return config{}, fmt.Errorf("%s: it has more than %d MiB: this is no config of a model", name, maxConfig>>20)
	}
	c := config{file: name}
	if err := json.Unmarshal(data, &c.keys); err != nil && json.Unmarshal(withoutNaN(data), &c.keys) != nil {
		return config{}, fmt.Errorf("%s: no JSON object: %w", name, err)
	}
	if c.keys == nil {
		return config{}, fmt.Errorf("%s: no JSON object: null", name)
	}
	return c, nil
}

// withoutNaN returns JSON with null for NaN, Infinity and -Infinity, which Python writes and JSON lacks.
func withoutNaN(data []byte) []byte {
	return notJSON.ReplaceAllFunc(data, func(b []byte) []byte {
		if b[0] == '"' {
			return b
		}
		return []byte("null")
	})
}

// notJSON matches these words, and texts, so that the words in texts are left alone.
var notJSON = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\bNaN\b|-?\bInfinity\b`)

// has reports whether the key is there and not null.
func (c config) has(key string) bool {
	v, ok := c.keys[key]
	return ok && string(v) != "null"
}

// get reads a value into v, and reports whether the key is there and not null.
func get[T any](c config, key string, v *T) (bool, error) {
	if !c.has(key) {
		return false, nil
	}
	if err := json.Unmarshal(c.keys[key], v); err != nil {
		return false, fmt.Errorf("%s: %s: %s is no %s", c.file, key, brief(c.keys[key]), kindOf(*v))
	}
	return true, nil
}

func kindOf(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case string:
		return "text"
	case float64:
		return "number"
	}
	return "JSON object"
}

// brief returns a value for an error, shortened.
func brief(v json.RawMessage) string {
	s := []rune(strings.Join(strings.Fields(string(v)), " "))
	if len(s) > 60 {
		return string(s[:60]) + "…"
	}
	return string(s)
}

// text returns a string, or "" where the key is absent or null.
func (c config) text(key string) (s string, err error) {
	_, err = get(c, key, &s)
	return s, err
}

// flag returns a boolean, or the given value where the key is absent or null.
func (c config) flag(key string, absent bool) (bool, error) {
	v := absent
	_, err := get(c, key, &v)
	return v, err
}

// count returns a whole number from 0 to 2^31−1, and whether the key is there and not null.
func (c config) count(key string) (int, bool, error) {
	var v float64
	ok, err := get(c, key, &v)
	if err != nil || !ok {
		return 0, false, err
	}
	if !(v >= 0 && v <= math.MaxInt32 && v == math.Trunc(v)) {
		return 0, false, fmt.Errorf("%s: %s: %s is no whole number from 0 on", c.file, key, brief(c.keys[key]))
	}
	return int(v), true, nil
}

// A size is a number of a config that the weights have too.
type size struct {
	key  string
	want int
}

// sizes returns an error for a key that is there and is not what the weights have.
func (c config) sizes(list ...size) error {
	for _, s := range list {
		if v, ok, err := c.count(s.key); err != nil {
			return err
		} else if ok && v != s.want {
			return fmt.Errorf("%s: %s is %d, but the weights have %d", c.file, s.key, v, s.want)
		}
	}
	return nil
}

// object returns the object under a key, and an empty one where the key is absent or null.
func (c config) object(key string) (config, error) {
	out := config{file: c.file + ": " + key}
	_, err := get(c, key, &out.keys)
	return out, err
}

// optional returns an empty config instead of the error that there is no such file.
func optional(c config, err error) (config, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return config{}, nil
	}
	return c, err
}
