package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/figures"
)

type plotOptions struct {
	location location
	of       []string // sweeps by name or ID, and files
	out      string   // folder
	formats  []string
	width    string
	where    whereOption
}

func newPlotCommand(env *environment) *cobra.Command {
	var o plotOptions
	c := &cobra.Command{
		Use:   "plot SWEEP…",
		Short: "Draw figures of the results and curves of sweeps",
		Long: `Draw figures of the results and curves of sweeps: the error against dict_size, k, compute
and l0, dead latents, AuxK, and training curves. SWEEP is a name, an ID, or a file of
results or of curves (a file holds curves if it has a column step). No server is needed.

Where sweeps name several data sets, figures have a panel for each, or there is a figure
for each with its name. Each figure is a file of a fixed name in the folder. Text has the size of print, 6 to 8.5
points, so --width is the width on paper. A figure that the data are not there for is left
out, and the reason is printed. If no figure can be drawn, the exit status is 1.`,
		Example: `  sweep plot topk-demo --out figures
  sweep plot topk-demo --out figures --format svg,pdf --width 12cm
  sweep plot topk-demo --out figures --where auxk_alpha=0
  sweep plot results.csv curves.csv --out figures`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.of = args
			return runPlot(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	c.Flags().StringVar(&o.out, "out", "", "`folder` for the figures; it is made if it is not there")
	c.Flags().StringSliceVar(&o.formats, "format", []string{"svg", "png", "pdf"}, "`formats`: svg, png, pdf")
	o.where.addFlag(c.Flags())
	c.Flags().StringVar(&o.width, "width", "8cm", "`width` of a figure, in cm, mm, in or pt")
	return c
}

// runPlot is the verb plot.
func runPlot(ctx context.Context, env *environment, o plotOptions) error {
	if o.out == "" {
		return inputError{fmt.Errorf("--out: want a folder for the figures")}
	}
	formats, err := plotFormats(o.formats)
	if err != nil {
		return inputError{fmt.Errorf("--format: %w", err)}
	}
	width, err := parseWidth(o.width)
	if err != nil {
		return inputError{fmt.Errorf("--width %q: %w", o.width, err)}
	}
	t, err := readTables(ctx, o.location, o.of, true, nil)
	if err != nil {
		return err
	}
	for _, note := range t.notes {
		env.note(note)
	}
	if err := t.filter(env, &o.where); err != nil {
		return err
	}
	set, err := makeFigures(ctx, t)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return inputError{fmt.Errorf("plot %s: %w", strings.Join(o.of, " "), err)}
	}
	if len(set.Figures) > 0 {
		if err := os.MkdirAll(o.out, 0o777); err != nil {
			return fmt.Errorf("make the folder for the figures: %w", err)
		}
	}
	for _, f := range set.Figures {
		for _, format := range formats {
			if err := ctx.Err(); err != nil {
				return err
			}
			b, err := f.Write(format, width)
			if err != nil {
				return err
			}
			path := filepath.Join(o.out, f.Name+"."+string(format))
			if err := os.WriteFile(path, b, 0o666); err != nil {
				return fmt.Errorf("write a figure: %w", err)
			}
			fmt.Fprintln(env.out, path)
		}
	}
	for _, l := range set.LeftOut {
		fmt.Fprintf(env.errOut, "left out %s: %s\n", l.Name, l.Why)
	}
	for _, l := range set.WithoutFit {
		fmt.Fprintf(env.errOut, "%s is %s\n", l.Name, l.Why)
	}
	if len(set.Figures) == 0 {
		return fmt.Errorf("plot %s: no figure can be drawn", strings.Join(o.of, " "))
	}
	return nil
}

// makeFigures makes the figures of tables, with a panel or a figure for each data set.
func makeFigures(ctx context.Context, t tables) (figures.Set, error) {
	parts := t.bySet()
	if len(parts) == 1 {
		return figures.Make(ctx, &t.results, &t.curves)
	}
	var sets []figures.NamedSet
	for _, part := range parts {
		set, err := figures.Make(ctx, &part.results, &part.curves)
		if err != nil {
			return figures.Set{}, ofSet(part.name, err)
		}
		sets = append(sets, figures.NamedSet{Name: part.name, Set: set})
	}
	return figures.Facets(sets), nil
}

// plotFormats checks the formats that are wanted. One that is named twice is written once.
func plotFormats(names []string) ([]figures.Format, error) {
	var out []figures.Format
	for _, name := range names {
		f := figures.Format(strings.TrimSpace(name))
		if !slices.Contains(figures.Formats(), f) {
			return nil, fmt.Errorf("%q is no format of figures; want svg, png or pdf", name)
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("want svg, png or pdf")
	}
	return out, nil
}

// parseWidth reads a width such as 8cm, and returns it in centimetres.
func parseWidth(s string) (float64, error) {
	units := []struct {
		name string
		cm   float64
	}{{"cm", 1}, {"mm", 0.1}, {"in", 2.54}, {"pt", 2.54 / 72}}
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if v *= u.cm; err != nil || !(v >= figures.MinWidth && v <= figures.MaxWidth) {
			return 0, fmt.Errorf("want %vcm to %vcm", figures.MinWidth, figures.MaxWidth)
		}
		return v, nil
	}
	return 0, fmt.Errorf("want a number with a unit: cm, mm, in or pt, as in 8cm")
}
