package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/table"
)

// A tableOutput says in what format a table is printed, and where: the flags --output and --out.
type tableOutput struct {
	format format
	file   string // "" for the standard output

	flags *pflag.FlagSet
}

// addFlags adds the flags. The first of the formats is the default.
func (o *tableOutput) addFlags(f *pflag.FlagSet, formats ...string) {
	o.flags = f
	o.format = newFormat(formats...)
	o.format.addFlag(f)
	f.StringVar(&o.file, "out", "", "write to a `file`; without -o its ending says the format")
}

// tableFormats lists the names of all formats, that for a terminal first.
func tableFormats() []string {
	var names []string
	for _, f := range table.Formats() {
		names = append(names, f.Name)
	}
	return names
}

// check refuses a file whose ending says no format, and to write a binary format on a terminal. It sets the format
// that the ending says.
func (o *tableOutput) check(env *environment) error {
	if o.file != "" && !o.flags.Changed("output") {
		ending := strings.TrimPrefix(strings.ToLower(filepath.Ext(o.file)), ".")
		var endings []string
		found := ""
		for _, f := range table.Formats() {
			if !slices.Contains(o.format.allowed, f.Name) {
				continue
			}
			endings = append(endings, "."+f.Extension)
			if f.Extension == ending {
				found = f.Name
			}
		}
		if found == "" {
			return inputError{fmt.Errorf("--out %s: the ending says no format: want one of %s, or choose with -o",
				o.file, strings.Join(endings, ", "))}
		}
		o.format.name = found
	}
	if o.file == "" {
		return o.format.checkTerminal(env)
	}
	return nil
}

// checkTerminal refuses to write a binary format on a terminal.
func (f *format) checkTerminal(env *environment) error {
	if of, err := table.FormatOf(f.name); err != nil || !of.Binary || !env.outTTY {
		return nil
	}
	return inputError{fmt.Errorf("-o %s is not for a terminal: write it to a file, as in > results.%s", f.name, f.name)}
}

// write writes what fn does to the standard output, or to the file, which is there whole or not at all.
func (o *tableOutput) write(env *environment, fn func(w io.Writer, f table.Format) error) error {
	f, err := table.FormatOf(o.format.name)
	if err != nil {
		return inputError{err}
	}
	if o.file == "" {
		return fn(env.out, f)
	}
	var b bytes.Buffer
	if err := fn(&b, f); err != nil {
		return err
	}
	return writeWhole(o.file, b.Bytes())
}

// width returns the width of the terminal that the table is printed on, in columns: 0 where it is none.
func (o *tableOutput) width(env *environment) int {
	if o.file != "" {
		return 0
	}
	return env.width
}

// writeWhole writes a file under another name first, so that no reader finds half of it. What a symbolic link leads to
// is written, and the link stays. A pipe or a device, as /dev/stdout, is written to.
func writeWhole(path string, content []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if err := os.WriteFile(path, content, 0o666); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		return nil
	}
	part := path + ".part"
	err := os.WriteFile(part, content, 0o666)
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// note prints sentences for a person.
func (e *environment) note(notes ...string) {
	for _, text := range notes {
		fmt.Fprintln(e.errOut, "note:", harmless(text))
	}
}

// harmless returns a text of some lines without characters that act on a terminal, which a path or a file may have.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
