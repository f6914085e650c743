package main

import (
	"fmt"
	"slices"
	"strings"
)

// Environment variables of the program whose values are words.
const (
	createBucketVariable = "SWEEP_S3_CREATE_BUCKET"
	addressingVariable   = "SWEEP_S3_ADDRESSING"
)

// A wordVariable is an environment variable that has one of some words. Empty is the same as not set.
type wordVariable struct {
	name  string
	words []string
}

// storeVariables are those that say how a store is reached.
func storeVariables() []wordVariable {
	return []wordVariable{
		{addressingVariable, []string{"path", "virtual"}},
		{createBucketVariable, []string{"true", "false"}},
	}
}

// checkWords returns an inputError for a variable with a word that it cannot have. Verbs check before they
// open a device or a store, so that a typing error ends the program and not an attempt to train.
func checkWords(getenv func(string) string, variables []wordVariable) error {
	for _, v := range variables {
		word := getenv(v.name)
		if word == "" || slices.Contains(v.words, word) {
			continue
		}
		return inputError{fmt.Errorf("%s=%q: %s",
			v.name, word, meant(word, v.words, "want one of "+strings.Join(v.words, ", ")))}
	}
	return nil
}
