package trainer

import (
	"crypto/sha256"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Kind is the type of a field's value.
type Kind int

const (
	Int Kind = iota
	Float
	Word
	File // in grid.yaml a path, in Config the hash of what lies there
)

func (k Kind) String() string { return [...]string{"integer", "number", "word", "path"}[k] }

// NoFile is what grid.yaml has for a File of which Config has "": none.
const NoFile = "none"

// fileHash is the length of the hash that Config has for a File: a SHA-256 in hex.
const fileHash = 2 * sha256.Size

// Field describes one field of Config, read from its tags.
type Field struct {
	Key      string
	Kind     Kind
	Doc      string
	Default  string   // as it would be written in grid.yaml; "" for a field that the data sets
	Words    []string // for Word: those allowed
	Auto     bool     // the word auto is allowed
	Fraction string   // the field that a fraction in [0,1) is taken of, or ""
	None     bool     // the word none is allowed; it is held as the value of the field Fraction
	FromData bool     // set by the data, not by grid.yaml

	index          int
	min, max, over float64
}

// Fields lists the fields of Config in order.
func Fields() []Field { return fieldsOf(reflect.TypeFor[Config]()) }

// fieldsOf lists the fields of a struct with the tags of Config.
func fieldsOf(t reflect.Type) []Field {
	out := make([]Field, 0, t.NumField())
	for i := range t.NumField() {
		sf := t.Field(i)
		key, _, _ := strings.Cut(sf.Tag.Get("json"), ",") // behind a comma may be omitzero
		fraction, none, _ := strings.Cut(sf.Tag.Get("fraction"), ",")
		f := Field{
			Key: key, Doc: sf.Tag.Get("doc"), Default: sf.Tag.Get("default"),
			Auto: sf.Tag.Get("auto") != "", Fraction: fraction, None: none == "none",
			FromData: sf.Tag.Get("source") == "data",
			index:    i, min: bound(sf.Tag, "min", math.Inf(-1)), max: bound(sf.Tag, "max", math.Inf(1)),
			over: bound(sf.Tag, "over", math.Inf(-1)),
		}
		switch sf.Type.Kind() {
		case reflect.Float64:
			f.Kind = Float
		case reflect.String:
			f.Kind = Word
			f.Words = strings.Fields(sf.Tag.Get("oneof"))
			if sf.Tag.Get("file") != "" {
				f.Kind = File
			}
		default:
			f.Kind = Int
		}
		out = append(out, f)
	}
	return out
}

func bound(tag reflect.StructTag, name string, absent float64) float64 {
	v, err := strconv.ParseFloat(tag.Get(name), 64)
	if err != nil {
		return absent
	}
	return v
}

// Get returns the field's value in c: an int64, a float64 or a string.
func (f Field) Get(c Config) any {
	v := reflect.ValueOf(c).Field(f.index)
	switch f.Kind {
	case Float:
		return v.Float()
	case Word, File:
		return v.String()
	}
	return v.Int()
}

// Set sets the field of c to a value of the type that Get returns.
func (f Field) Set(c *Config, value any) {
	v := reflect.ValueOf(c).Elem().Field(f.index)
	switch x := value.(type) {
	case float64:
		v.SetFloat(x)
	case string:
		v.SetString(x)
	case int64:
		v.SetInt(x)
	default:
		panic(fmt.Sprintf("trainer: field %s: no value of type %T", f.Key, value))
	}
}

// Text returns the field's value in c as grid.yaml may have it: a number with the fewest
// digits that read back as the same number, or the word none. Of a File, whose path c does
// not have, it is the beginning of the hash.
func (f Field) Text(c Config) string {
	switch v := f.Get(c).(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int64:
		if f.None {
			for _, of := range Fields() {
				if of.Key == f.Fraction && of.Get(c) == any(v) {
					return "none"
				}
			}
		}
		return strconv.FormatInt(v, 10)
	case string:
		if f.Kind == File {
			return shortHash(v)
		}
		return v
	}
	return ""
}

// shortHash is the hash of a file for people.
func shortHash(hash string) string {
	if hash == "" {
		return NoFile
	}
	return hash[:min(len(hash), 12)]
}

// Check returns an error where a value, of the type that Get returns, is outside the
// field's own bounds.
func (f Field) Check(value any) error {
	var x float64
	switch v := value.(type) {
	case string:
		if f.Kind == File {
			if v != "" && (len(v) != fileHash || strings.Trim(v, "0123456789abcdef") != "") {
				return fmt.Errorf("%q is not the SHA-256 of a file", v)
			}
			return nil
		}
		for _, w := range f.Words {
			if v == w {
				return nil
			}
		}
		return fmt.Errorf("%q is not one of %s", v, strings.Join(f.Words, ", "))
	case int64:
		x = float64(v)
	case float64:
		x = v
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%v is not a finite number", x)
		}
	default:
		return fmt.Errorf("%T is not a value", value)
	}
	switch {
	case x < f.min:
		return fmt.Errorf("%v is less than %s", value, whole(f.min))
	case x > f.max:
		return fmt.Errorf("%v is more than %s", value, whole(f.max))
	case !(x > f.over):
		return fmt.Errorf("%v is not greater than %s", value, whole(f.over))
	}
	return nil
}

// whole writes a bound without an exponent.
func whole(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
