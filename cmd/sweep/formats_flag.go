package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/export"
	"github.com/topksweep/sweep/trainer/models"
)

// A formatsFlag is the value of the flag --to: formats of models. None stands for all.
type formatsFlag []models.Format

// Set implements pflag.Value. Given again, it adds formats.
func (f *formatsFlag) Set(s string) error {
	known := strings.Split(modelFormatNames(), ", ")
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if word == "all" {
			*f = models.Formats()
			continue
		}
		if !slices.Contains(known, word) {
			return inputError{fmt.Errorf("--to %q: %s", word,
				meant(word, known, "want some of "+modelFormatNames()+", or all"))}
		}
		if !slices.Contains(*f, models.Format(word)) {
			*f = append(*f, models.Format(word))
		}
	}
	return nil
}

func (f *formatsFlag) Type() string { return "formats" }
func (f *formatsFlag) String() string {
	var words []string
	for _, format := range *f {
		words = append(words, string(format))
	}
	return strings.Join(words, ",")
}

func (f *formatsFlag) addFlag(to *pflag.FlagSet) {
	to.Var(f, "to", "`formats`: "+modelFormatNames()+", separated by commas, or all (default all)")
}

// chosen lists the formats that the flag names, and those that the folders have already: the README of a folder is
// about all of its formats.
func (f *formatsFlag) chosen(folders ...string) []models.Format {
	if len(*f) == 0 {
		return models.Formats()
	}
	want := slices.Clone(*f)
	for _, folder := range folders {
		want = append(want, export.Present(folder)...)
	}
	return slices.DeleteFunc(models.Formats(), func(f models.Format) bool { return !slices.Contains(want, f) })
}

// modelFormatNames lists the formats of models.
func modelFormatNames() string {
	var out []string
	for _, f := range models.Formats() {
		out = append(out, string(f))
	}
	return strings.Join(out, ", ")
}
