package track

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// writeMLflow writes a file store, FOLDER/mlruns: an experiment for each sweep, with its runs. MLflow keeps file stores
// readable, and its command migrate-filestore makes a database of one.
//
//	mlruns/<experiment>/meta.yaml
//	mlruns/<experiment>/<run>/meta.yaml
//	mlruns/<experiment>/<run>/params/NAME    a setting
//	mlruns/<experiment>/<run>/tags/NAME
//	mlruns/<experiment>/<run>/metrics/NAME   lines of time in milliseconds, value and step
//	mlruns/<experiment>/<run>/artifacts/     empty; MLflow takes no folder for a run that lacks one of these
func writeMLflow(ctx context.Context, out *folder, runs []*run) error {
	known := map[string]bool{}
	for _, r := range runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		id := numberOf(r.sweep)
		folder := "mlruns/" + id
		if !known[id] {
			known[id] = true
			if err := out.put(folder+"/meta.yaml", yamlOf(
				field{"artifact_location", folder}, field{"creation_time", int64(0)}, field{"experiment_id", id},
				field{"last_update_time", int64(0)}, field{"lifecycle_stage", "active"}, field{"name", r.sweep},
			)); err != nil {
				return err
			}
		}
		if err := putMLflowRun(out, folder, id, r); err != nil {
			return err
		}
	}
	return nil
}

// mlflowStatus has the numbers that MLflow gives the statuses of runs.
var mlflowStatus = map[string]int64{completed: 3, failed: 4, canceled: 5}

// The longest values that MLflow takes, in characters.
const (
	maxParam = 6000
	maxTag   = 5000
)

func putMLflowRun(out *folder, folder, experiment string, r *run) error {
	id := r.id(32)
	folder += "/" + id
	end := r.lastStep() * 1000
	err := out.put(folder+"/meta.yaml", yamlOf(
		field{"artifact_uri", folder + "/artifacts"}, field{"end_time", end}, field{"entry_point_name", ""},
		field{"experiment_id", experiment}, field{"lifecycle_stage", "active"}, field{"run_id", id},
		field{"run_name", r.name}, field{"source_name", "sweep"}, field{"source_type", int64(4)},
		field{"source_version", ""}, field{"start_time", int64(0)}, field{"status", mlflowStatus[r.status]},
		field{"user_id", ""},
	))
	files := map[string][]byte{}
	var names []string // of the files, in order
	put := func(name, format string, a ...any) {
		if files[name] == nil {
			names = append(names, name)
		}
		files[name] = fmt.Appendf(files[name], format, a...)
	}
	for _, f := range r.config() {
		if f.name == "error" {
			put("tags/"+f.name, "%s", cut(table.Print(f.value), maxTag))
		} else {
			put("params/"+f.name, "%s", cut(table.Print(f.value), maxParam))
		}
	}
	put("tags/mlflow.runName", "%s", r.name)
	for _, p := range r.points {
		for _, f := range p.values {
			put("metrics/curve/"+f.name, "%d %s %d\n", p.step*1000, table.Print(f.value), p.step)
		}
	}
	for _, f := range r.final {
		put("metrics/final/"+f.name, "%d %s %d\n", end, table.Print(f.value), r.lastStep())
	}
	for _, sub := range []string{"params", "tags", "metrics", "artifacts"} {
		if err == nil {
			err = out.makeFolder(folder + "/" + sub)
		}
	}
	for _, name := range names {
		if err == nil {
			err = out.put(folder+"/"+name, files[name])
		}
	}
	return err
}

// cut shortens a text to a number of characters. Where it does, the text ends with a sign for that. Line breaks become
// spaces, because MLflow reads one line.
func cut(s string, n int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	if r := []rune(s); len(r) > n {
		s = string(r[:n-1]) + "…"
	}
	return s
}

// yamlOf returns a mapping in YAML. Texts are in JSON, which YAML reads.
func yamlOf(fields ...field) []byte {
	var b bytes.Buffer
	for _, f := range fields {
		fmt.Fprintf(&b, "%s: %s\n", f.name, jsonOf(f.value))
	}
	return b.Bytes()
}
