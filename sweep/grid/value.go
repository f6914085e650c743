package grid

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/topksweep/sweep/trainer"
)

// A value is what a grid gives for one field. It is resolved for each cell, once the other fields are known:
//
//	lr: 0.001            v 0.001
//	lr: auto             v 0, from which trainer.Config.Resolve computes the learning rate
//	decay_start: 800     v 800, a step
//	decay_start: 0.8     v 0.8, fraction: step 800 in a cell with 1000 steps
//	decay_start: none    none: step 1000 in a cell with 1000 steps
//	tokens: 2_000_000    tokens: step 977 for batches of 2048
//	epochs: 0.5          epochs: step 5 with 2000 training rows and batches of 200
//	init: models/a       file: the hash of what Grid.SetInits says of that path
//	init: none           v ""
type value struct {
	kind valueKind
	v    any    // int64, float64 or string, as trainer.Field.Get returns it; 0 for auto; nil for none; *big.Rat for epochs
	text string // v as a person reads it, in the shortest form. Equal values of a field have equal texts
	pos  position
	path string // the key that gives the value; "" for a default
}

// A valueKind says how a value is resolved.
type valueKind int

const (
	given    valueKind = iota // v is the field's value
	fraction                  // v is a float64 in [0, 1) of another field (trainer.Field.Fraction)
	none                      // the value of that other field
	file                      // the hash of what lies at the path text (trainer.File)
	tokens                    // of the field steps: v is an int64 of tokens
	epochs                    // of the field steps: v is a *big.Rat of passes over the training rows
)

// readValue reads a scalar as a value of a field.
func readValue(f trainer.Field, n *node) (value, error) {
	out := value{pos: n.pos, text: n.text}
	if n.kind != scalarNode {
		return out, fmt.Errorf("%s is not a value: want %s", n.kind, wanted(f))
	}
	if f.Auto && n.text == "auto" {
		out.v = int64(0)
		if f.Kind == trainer.Float {
			out.v = 0.0
		}
		return out, nil
	}
	if f.None && n.text == "none" {
		out.kind = none
		return out, nil
	}
	if f.Kind == trainer.Word {
		out.v = n.text
		return out, f.Check(n.text)
	}
	if f.Kind == trainer.File {
		out.v = ""
		if n.text == trainer.NoFile && !n.quoted {
			return out, nil
		}
		out.kind = file
		return out, checkPath(n.text)
	}
	if n.quoted {
		return out, fmt.Errorf("%q is text: want %s, without quotes", n.text, wanted(f))
	}
	x, err := parseFloat(n.text)
	if errors.Is(err, errNotNumber) {
		return out, fmt.Errorf("%q: want %s", n.text, wanted(f))
	}
	if err != nil {
		return out, err
	}
	if f.Kind == trainer.Float {
		out.v, out.text = x, formatFloat(x)
		return out, f.Check(x)
	}
	if f.Fraction != "" && isFraction(n.text, x) {
		if !(x >= 0 && x < 1) {
			return out, fmt.Errorf(
				"%s is not a fraction in [0, 1); a step is written without a decimal point", n.text)
		}
		// The decimal point tells the fraction 0.0 from the step 0. The format 'f' keeps it in all other numbers.
		out.kind, out.v, out.text = fraction, x, strconv.FormatFloat(x, 'f', -1, 64)
		if !strings.Contains(out.text, ".") {
			out.text += ".0"
		}
		return out, nil
	}
	i, err := parseInt(n.text)
	if err != nil {
		return out, err
	}
	out.v, out.text = i, strconv.FormatInt(i, 10)
	return out, f.Check(i)
}

// maxPath is the length of the longest path of an init, in bytes: that of the operating systems.
const maxPath = 4096

// checkPath refuses a text that cannot be the path of a folder.
func checkPath(path string) error {
	switch {
	case strings.TrimSpace(path) == "":
		return errors.New("is empty: want the path of a folder, or none")
	case len(path) > maxPath:
		return fmt.Errorf("a path of %d bytes: want at most %d", len(path), maxPath)
	case strings.ContainsFunc(path, unicode.IsControl):
		return errors.New("the path has a control character")
	case strings.Contains(path, "://"):
		return fmt.Errorf("%s: want the path of a folder of this machine: copy the model there", path)
	}
	return nil
}

// isFraction reports whether a number is written as a fraction (0.8, 5e-1) rather than as a step (800, 8e2).
func isFraction(text string, x float64) bool {
	if x != math.Trunc(x) {
		return true
	}
	return strings.Contains(text, ".") && !strings.ContainsAny(text, "eE")
}

// wanted describes the values of a field, for error messages.
func wanted(f trainer.Field) string {
	switch {
	case f.Kind == trainer.Word:
		return "one of " + strings.Join(f.Words, ", ")
	case f.Kind == trainer.File:
		return "the path of a folder, or none"
	case f.None:
		return "a whole number, a fraction of " + f.Fraction + " in [0, 1), or none"
	case f.Fraction != "":
		return "a whole number or a fraction of " + f.Fraction + " in [0, 1)"
	case f.Kind == trainer.Int && f.Auto:
		return "a whole number or auto"
	case f.Kind == trainer.Int:
		return "a whole number"
	case f.Auto:
		return "a number or auto"
	}
	return "a number"
}
