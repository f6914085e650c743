package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// A format is the value of the flag --output: one of the formats in which a verb
// can print.
type format struct {
	name    string
	allowed []string
}

// newFormat returns a flag value that is one of some names; the first of them is
// the default.
func newFormat(allowed ...string) format { return format{allowed[0], allowed} }

func (f *format) addFlag(flags *pflag.FlagSet) { flags.VarP(f, "output", "o", f.names()) }

// names lists the formats for a person.
func (f *format) names() string {
	if len(f.allowed) == 2 {
		return f.allowed[0] + " or " + f.allowed[1]
	}
	return strings.Join(f.allowed, ", ")
}

// Set implements pflag.Value. It refuses what is none of the formats.
func (f *format) Set(s string) error {
	if !slices.Contains(f.allowed, s) {
		want := f.names()
		if len(f.allowed) > 2 {
			want = "one of " + want
		}
		return inputError{fmt.Errorf("-o %s: want %s", s, want)}
	}
	f.name = s
	return nil
}

func (f *format) Type() string   { return "string" }
func (f *format) String() string { return f.name }
