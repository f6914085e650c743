package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A caller is the command that runs: what it advises is to work where it was called.
type caller struct {
	root  *cobra.Command
	given []*pflag.Flag // of those that say where a sweep is
}

// places are the flags that say where sweeps are: the store, and the server.
var places = [...]string{"dir", "store", "address", "namespace", "payload-keys"}

// newCaller notes with which flags a command was called.
func newCaller(c *cobra.Command) caller {
	out := caller{root: c.Root()}
	for _, name := range places {
		if f := c.Flags().Lookup(name); f != nil && f.Changed {
			out.given = append(out.given, f)
		}
	}
	return out
}

// command writes a command of this program for a person to paste into a shell: verb with its arguments, and of the
// flags with which this command was called those that say where sweeps are and that the verb knows. What the
// environment says is not repeated: it holds for that command too. A URL of a store is written without credentials.
func (e *environment) command(verb string, args ...string) string {
	words := append([]string{"sweep", verb}, args...)
	for _, f := range e.caller.given {
		if c, _, err := e.caller.root.Find([]string{verb}); err != nil || c.Flags().Lookup(f.Name) == nil {
			continue
		}
		value := f.Value.String()
		if f.Name == "store" {
			value = withoutCredentials(value)
		}
		words = append(words, "--"+f.Name, value)
	}
	for i, w := range words {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// withoutCredentials returns a store as a flag takes it, without what is not for everybody to read.
func withoutCredentials(store string) string {
	if !strings.Contains(store, "@") {
		return store
	}
	return strings.Replace(withoutSecrets(store), "…@", "", 1)
}

// plainCharacters are those that a shell leaves as they are, beside letters and digits.
const plainCharacters = "-_./:@%+=,"

// quoted returns a word as a shell reads it.
func quoted(word string) string {
	special := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune(plainCharacters, r))
	}
	if word != "" && !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
