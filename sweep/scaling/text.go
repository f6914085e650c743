package scaling

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteText writes the documents of data sets for a person, each with its name.
func WriteText(w io.Writer, documents ...*Document) error {
	for i, d := range documents {
		if d.Data != "" {
			before := ""
			if i > 0 {
				before = "\n"
			}
			if _, err := fmt.Fprintf(w, "%sdata set %s\n\n", before, d.Data); err != nil {
				return err
			}
		}
		if err := d.WriteText(w); err != nil {
			return err
		}
	}
	return nil
}

// WriteText writes a document for a person.
func (d *Document) WriteText(w io.Writer) error {
	var b strings.Builder
	if d.Determined {
		d.textFit(&b)
	} else {
		fmt.Fprintf(&b, "Form %s is not fitted: %s\n", d.Form, d.Formula)
		fmt.Fprintf(&b, "not determined: %s\n", join(d.NotDetermined))
		fmt.Fprintf(&b, "because %s\n", *d.Why)
		if d.Smaller == nil {
			fmt.Fprintf(&b, "\nNo smaller form is determined either: train cells of more k or dict_size.\n")
		} else {
			fmt.Fprintf(&b, "\nA smaller form is determined: %s\n\n", flags(d.Smaller.Form, d.Smaller.Without))
			d.Smaller.textFit(&b)
			for _, s := range d.Smaller.Warnings {
				fmt.Fprintf(&b, "warning: %s\n", s)
			}
		}
	}
	d.textPoints(&b)
	d.textLeftOut(&b)
	for _, s := range d.Warnings {
		fmt.Fprintf(&b, "\nwarning: %s\n", s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// flags are the flags that ask for a form.
func flags(f Form, without []string) string {
	s := "--form " + string(f)
	if len(without) > 0 {
		s += " --without " + strings.Join(without, ",")
	}
	return s
}

func (d *Document) textFit(b *strings.Builder) {
	fmt.Fprintf(b, "%s\n", d.Formula)
	switch d.Form {
	case C:
		fmt.Fprintf(b, "L: held-out nmse, C: dense-equivalent flops\n\n")
	default:
		fmt.Fprintf(b, "L: nmse, n: dict_size\n\n")
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "coefficient\tvalue\t%g %% interval\n", 100*d.Level)
	for _, name := range d.Form.Coefficients() {
		c := d.Coefficients[name]
		if c.Value == nil {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s to %s\n", name, short(*c.Value), short(*c.Low), short(*c.High))
	}
	t.Flush()
	fmt.Fprintf(b, "\n%d points, standard deviation of the residuals %s %%\n", len(d.Points), short(100**d.Sigma))
	switch {
	case d.Holdout != nil:
		fmt.Fprintf(b, "largest point left out (%s): predicted %s, measured %s, error %+.2g %%\n",
			d.Holdout.Point.at(d.Form), short(d.Holdout.Predicted), short(d.Holdout.Point.NMSE), 100*d.Holdout.Error)
	case d.HoldoutError != nil:
		fmt.Fprintf(b, "largest point left out: no fit without it, because %s\n", *d.HoldoutError)
	}
}

// textPoints writes the points, with the residuals of the fit or of the smaller one.
func (d *Document) textPoints(b *strings.Builder) {
	fit := d
	if !d.Determined && d.Smaller != nil {
		fit = d.Smaller
	}
	fmt.Fprintf(b, "\nPoints: %s\n", d.Selection.Rule)
	if len(d.Selection.Chosen) > 0 {
		fmt.Fprintf(b, "settings chosen from: %s\n", join(d.Selection.Chosen))
	}
	if len(d.Selection.Differing) > 0 {
		fmt.Fprintf(b, "settings that differ between points, one at each: %s\n", join(d.Selection.Differing))
	}
	settings := len(d.Selection.Chosen)+len(d.Selection.Differing) > 0
	if len(fit.Points) == 0 {
		return
	}
	fmt.Fprintln(b)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	head := "k\tdict_size\t"
	if d.Form == C {
		head += "flops\t"
	}
	head += "nmse\tfit\tresidual\tseeds"
	if settings {
		head += "\tsetting"
	}
	fmt.Fprintln(t, head)
	for _, p := range fit.Points {
		k, flops, fitted, residual := "–", "", "–", "–"
		if p.K > 0 {
			k = strconv.FormatInt(p.K, 10)
		}
		if d.Form == C {
			flops = fmt.Sprintf("%.3g\t", *p.Flops)
		}
		if p.Fitted != nil {
			fitted, residual = short(*p.Fitted), fmt.Sprintf("%+.2f %%", 100**p.Residual)
		}
		fmt.Fprintf(t, "%s\t%d\t%s%s\t%s\t%s\t%d", k, p.DictSize, flops, short(p.NMSE), fitted, residual, p.Seeds)
		if settings {
			fmt.Fprintf(t, "\t%s", p.Setting)
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

// textLeftOut writes how many runs are in no point, by the reason. JSON has each.
func (d *Document) textLeftOut(b *strings.Builder) {
	if len(d.LeftOut) == 0 {
		return
	}
	var reasons []string
	count := map[string]int{}
	for _, l := range d.LeftOut {
		if count[l.Reason] == 0 {
			reasons = append(reasons, l.Reason)
		}
		count[l.Reason] += l.Seeds
	}
	fmt.Fprintf(b, "\nLeft out (-o json has each):\n")
	for _, reason := range reasons {
		what := "results"
		if count[reason] == 1 {
			what = "result"
		}
		fmt.Fprintf(b, "  %d %s: %s\n", count[reason], what, reason)
	}
}

// short writes a number with four digits.
func short(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
