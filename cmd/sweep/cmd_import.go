package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/export"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

type importOptions struct {
	path   string
	out    string // folder; "" for imported/NAME
	to     formatsFlag
	dryRun bool
	output format
}

func newImportCommand(env *environment) *cobra.Command {
	o := importOptions{output: newFormat("text", "json")}
	c := &cobra.Command{
		Use:   "import PATH",
		Short: "Read a model of another tool, and write it for all tools",
		Long: `Read a Top-K autoencoder that sparsify, SAELens or dictionary_learning has saved, print
what it is, and write it as a folder that all of them load, with a README. PATH is the
folder of the model, or the file of its weights. No server and no store is needed.

What the tool does to activations or weights when it loads the model is folded into the
weights, and printed. The rows of W_dec keep their norms. Anything but a Top-K autoencoder
is refused, with the reason; a file of PyTorch that holds more than tensors is too.

The folder appears whole. To one that holds this model already, formats are added; one that
holds anything else stays as it is, which is an error.

The key init of a grid begins training from such a folder; it reads the other tools' folders
as well. normalize_init: true beside it brings rows of other norms to unit norm.`,
		Example: `  sweep import checkpoints/layers.5
  sweep import trainer_0 --out models/pythia --to sparsify,saelens
  sweep import gpt2-sae --dry-run          what it is; nothing is written
  sweep import gpt2-sae -o json`,
		Args: args(cobra.ExactArgs(1)),

		RunE: func(c *cobra.Command, args []string) error {
			o.path = args[0]
			return runImport(c.Context(), env, o)
		},
	}
	c.Flags().StringVar(&o.out, "out", "", "`folder` for the model (default imported/NAME)")
	o.to.addFlag(c.Flags())
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what the model is, and write nothing")
	o.output.addFlag(c.Flags())
	return c
}

// An imported is what import says of a model.
type imported struct {
	From          string         `json:"from"` // tool and file
	ActivationDim int            `json:"activation_dim"`
	DictSize      int            `json:"dict_size"`
	K             int            `json:"k"`
	Norms         importedNorms  `json:"decoder_norms"`
	Threshold     *float64       `json:"threshold"`
	Names         trainer.Names  `json:"names"`
	Facts         []importedFact `json:"facts"` // what was folded, among others
	Folder        string         `json:"folder,omitempty"`
	Files         []string       `json:"files,omitempty"`

	formats string // that are written, for people
}

// importedNorms are those of the rows of W_dec.
type importedNorms struct {
	Min     float64 `json:"min"`
	Mean    float64 `json:"mean"`
	Max     float64 `json:"max"`
	OffUnit int     `json:"off_unit"` // rows that are not at unit norm
}

type importedFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// runImport is the verb import.
func runImport(ctx context.Context, env *environment, o importOptions) error {
	if o.dryRun && o.out != "" {
		return inputError{errors.New("--dry-run writes nothing: leave --out out")}
	}
	if o.path == "" {
		return inputError{errors.New("the path of the model is empty")}
	}
	m, from, err := models.Open(o.path)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(o.path) == o.path {
		err = fmt.Errorf("%w; want a path (of a run or a sweep in a store, sweep export writes the models)", err)
	}
	if err != nil {
		return inputError{err}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n := m.Norms()
	out := imported{
		From: from, ActivationDim: m.ActivationDim, DictSize: m.DictSize, K: m.K, Threshold: m.Threshold, Names: m.Names,
		Norms: importedNorms{n.Min, n.Mean, n.Max, n.OffUnit}, Facts: []importedFact{},
	}
	for _, f := range m.Facts {
		out.Facts = append(out.Facts, importedFact{f.Name, f.Value})
	}
	if !o.dryRun {
		if out.Folder = o.out; out.Folder == "" {
			out.Folder = filepath.Join("imported", importName(o.path))
		}
		m.Facts = append([]models.Fact{{Name: "imported from", Value: from}}, m.Facts...)
		formats := o.to.chosen(out.Folder)
		files, err := models.Files(m, formats...)
		if err != nil {
			return err
		}
		for _, f := range files {
			out.Files = append(out.Files, f.Name)
		}
		var names []string
		for _, f := range formats {
			names = append(names, string(f))
		}
		out.formats = strings.Join(names, ", ")
		if _, err := export.WriteFolder(ctx, out.Folder, files, false); errors.Is(err, export.ErrOther) {
			return inputError{fmt.Errorf("%w; choose another folder with --out, or remove it", err)}
		} else if err != nil {
			return err
		}
	}
	if o.output.name == "json" {
		return env.writeJSON(out)
	}
	return env.print(out.write)
}

// importName names the folder of a model that is read from a path: by the last part of it, and where
// dictionary_learning has saved several steps of one trainer, trainer_0/checkpoints/ae_30.pt, by trainer and step.
func importName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "model"
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		file := strings.TrimSuffix(filepath.Base(abs), filepath.Ext(abs))
		if abs = filepath.Dir(abs); filepath.Base(abs) == "checkpoints" {
			return filepath.Base(filepath.Dir(abs)) + "_" + file
		}
	}
	if name := filepath.Base(abs); name != string(filepath.Separator) && name != "." {
		return name
	}
	return "model"
}

// write prints what a model is for people.
func (i imported) write(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	row := func(name, format string, a ...any) {
		fmt.Fprintf(w, "%s\t%s\n", printable(name), printable(fmt.Sprintf(format, a...)))
	}
	row("model", "%s", i.From)
	row("width D", "%d", i.ActivationDim)
	row("latents F", "%d", i.DictSize)
	row("k", "%d", i.K)
	row("norms of W_dec's rows", "%.6g to %.6g, mean %.6g", i.Norms.Min, i.Norms.Max, i.Norms.Mean)
	if i.Norms.OffUnit > 0 {
		row("", "%d of %d are not at unit norm; init wants normalize_init", i.Norms.OffUnit, i.DictSize)
	}
	if i.Threshold != nil {
		row("threshold", "%.6g", *i.Threshold)
	} else {
		row("threshold", "none")
	}
	i.Names.Each(func(name string, v any) { row(name, "%v", v) })
	for _, f := range i.Facts {
		row(f.Name, "%s", f.Value)
	}
	if i.Folder != "" {
		row("written to", "%s", i.Folder)
		row("for", "%s", i.formats)
	}
	return w.Flush()
}

// printable returns a text of a file as one line without characters that act on a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
