package report

import (
	"encoding/csv"
	"io"
)

// writeCSV writes the names of all columns, and then one line for each run. A missing value is an empty field.
func writeCSV(w io.Writer, rows Rows) error {
	columns := rows.columns()
	out := csv.NewWriter(w)
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.Name
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for _, r := range rows.Results {
		for i, c := range columns {
			line[i] = formatExact(c.get(r))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
