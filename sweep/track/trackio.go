package track

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/topksweep/sweep/sweep/table"
)

// importProgram reads what writeTrackio writes into trackio.
//
//go:embed import.py
var importProgram []byte

// A trackioRun describes a run for import.py. The project is the sweep.
type trackioRun struct {
	Project string          `json:"project"`
	Name    string          `json:"name"`
	File    string          `json:"file"`
	Config  json.RawMessage `json:"config"`
}

// writeTrackio writes FOLDER/<sweep>/<run>.csv, which trackio.import_csv reads, FOLDER/runs.json with the settings,
// which a CSV file does not hold, and FOLDER/import.py, which imports all of them.
func writeTrackio(ctx context.Context, out *folder, runs []*run) error {
	var index []trackioRun
	for _, r := range runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		file := r.sweep + "/" + r.name + ".csv"
		content, err := trackioCSV(r)
		if err != nil {
			return err
		}
		if err := out.put(file, content); err != nil {
			return err
		}
		config := []byte{'{'}
		for i, f := range r.config() {
			if i > 0 {
				config = append(config, ',')
			}
			config = append(append(append(config, jsonOf(f.name)...), ':'), jsonOf(f.value)...)
		}
		index = append(index, trackioRun{r.sweep, r.name, file, append(config, '}')})
	}
	b, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	if err := out.put("runs.json", append(b, '\n')); err != nil {
		return err
	}
	return out.put("import.py", importProgram)
}

// trackioCSV returns the values of a run, a line for each step. The final values stand in the line of the last step.
// trackio knows no status: the value failed is 1 for a run that failed or was canceled.
func trackioCSV(r *run) ([]byte, error) {
	rows := make([]point, 0, len(r.points)+1)
	for _, p := range r.points {
		rows = append(rows, point{p.step, prefixed("curve/", p.values)})
	}
	if len(rows) == 0 {
		rows = append(rows, point{step: r.lastStep()})
	}
	last := &rows[len(rows)-1]
	last.values = append(last.values, prefixed("final/", r.final)...)
	if r.status != completed {
		last.values = append(last.values, field{"failed", int64(1)})
	}
	columns := []string{"step"}
	for _, p := range rows {
		for _, f := range p.values {
			if !slices.Contains(columns, f.name) {
				columns = append(columns, f.name)
			}
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	err := w.Write(columns)
	for _, p := range rows {
		line := make([]string, len(columns))
		line[0] = strconv.FormatInt(p.step, 10)
		for _, f := range p.values {
			line[slices.Index(columns, f.name)] = table.Print(f.value)
		}
		if err == nil {
			err = w.Write(line)
		}
	}
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	return b.Bytes(), err
}

// prefixed returns fields with a text before their names.
func prefixed(prefix string, fields []field) []field {
	out := make([]field, len(fields))
	for i, f := range fields {
		out[i] = field{prefix + f.name, f.value}
	}
	return out
}
