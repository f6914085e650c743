package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/export"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/trainer/models"
)

// A runToExport is a run, and the folder for its model.
type runToExport struct {
	header *plan.Header // nil if no plan has the run any more
	result ledger.Result
	folder string
}

// find returns the runs that the arguments name, each with its folder below --out.
func (o *exportOptions) find(ctx context.Context, env *environment, l *ledger.Ledger) ([]runToExport, error) {
	var out []runToExport
	var all []report.Rows
	seen := map[string]bool{}
	for _, arg := range o.of {
		rows, chosen, err := findRuns(ctx, env, l, &o.selection, arg)
		if err != nil {
			return nil, err
		}
		var names []string
		if !o.name.given {
			if names, err = defaultFolders(rows); err != nil {
				return nil, err
			}
		}
		picked := report.Rows{Plan: rows.Plan}
		for _, i := range chosen {
			x := runToExport{header: rows.Plan, result: rows.Results[i]}
			of := x.result.Sweep + "/" + x.result.Run
			if seen[of] {
				continue // a run may be named, and its sweep too
			}
			seen[of] = true
			if names != nil {
				x.folder = names[i]
			}
			picked.Results = append(picked.Results, x.result)
			out = append(out, x)
		}
		all = append(all, picked)
	}
	if o.name.given {
		t := report.Join(all...).Table()
		names, err := o.name.is.Folders(&t)
		if err != nil {
			return nil, inputError{fmt.Errorf("--name %q: %w", &o.name, err)}
		}
		for i := range out {
			out[i].folder = names[i]
		}
	}
	for i := range out {
		out[i].folder = filepath.Join(o.out, filepath.FromSlash(out[i].folder))
	}
	return out, nil
}

// defaultFolders names the folders of a sweep's runs: the sweep's ID, and in it the settings that vary.
func defaultFolders(rows report.Rows) ([]string, error) {
	t := rows.Table()
	if rows.Plan == nil {
		return export.Default(&t, nil)
	}
	names, err := export.Default(&t, rows.Plan.Axes)
	for i := range names {
		names[i] = path.Join(rows.Plan.ID, names[i])
	}
	return names, err
}

// An exporter writes the models of runs.
type exporter struct {
	env    *environment
	ledger *ledger.Ledger
	to     formatsFlag
	force  bool
	report exportReport
}

// exportReport is what -o json prints.
type exportReport struct {
	Exported []exported    `json:"exported"`
	Failed   []notExported `json:"failed"`
}

type exported struct {
	Run     string          `json:"run"`
	Sweep   string          `json:"sweep,omitempty"`
	Folder  string          `json:"folder"`
	Change  export.Change   `json:"change"`
	Formats []models.Format `json:"formats"` // that the folder has now
	Files   []exportedFile  `json:"files"`
}

type exportedFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

type notExported struct {
	Run string `json:"run"`
	Why string `json:"why"`
}

// all exports runs one after the other. What is wrong with one is noted, and the others go on.
func (e *exporter) all(ctx context.Context, runs []runToExport) error {
	e.report = exportReport{Exported: []exported{}, Failed: []notExported{}}
	done := progress.PercentOf(e.env.terminal(), "exporting models")
	for i, x := range runs {
		done(int64(i), int64(len(runs)))
		out, err := e.one(ctx, x)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			done(int64(len(runs)), int64(len(runs))) // the line of the progress makes room
			fmt.Fprintf(e.env.errOut, "run %s is not exported: %s\n", x.result.Run, harmless(err.Error()))
			e.report.Failed = append(e.report.Failed, notExported{x.result.Run, err.Error()})
			continue
		}
		e.report.Exported = append(e.report.Exported, out)
	}
	done(int64(len(runs)), int64(len(runs)))
	return nil
}

// one exports a run.
func (e *exporter) one(ctx context.Context, x runToExport) (exported, error) {
	r := x.result
	if r.Status != plan.Completed {
		why := string(r.Status)
		if r.Error != "" {
			why += ": " + report.Cause(r.Error)
		}
		return exported{}, fmt.Errorf("it has no result (%s)", why)
	}
	files, formats, err := e.files(ctx, x)
	if err != nil {
		return exported{}, err
	}
	change, err := export.WriteFolder(ctx, x.folder, files, e.force)
	if errors.Is(err, export.ErrOther) && !e.force {
		err = fmt.Errorf("%w; give another --out or --name, or replace it with --force", err)
	}
	if err != nil {
		return exported{}, err
	}
	out := exported{Run: r.Run, Sweep: r.Sweep, Folder: x.folder, Change: change, Formats: formats}
	for _, f := range files {
		out.Files = append(out.Files, exportedFile{f.Name, f.Size})
	}
	return out, nil
}

// files returns the files of a run's model in the formats that are asked for and those that its folder has.
func (e *exporter) files(ctx context.Context, x runToExport) ([]models.File, []models.Format, error) {
	m, _, folder, err := readRunModel(ctx, e.ledger, x.result.Run)
	if err == nil {
		err = complete(m, x)
	}
	if err != nil {
		return nil, nil, err
	}
	if n := m.Norms(); n.OffUnit > 0 {
		e.env.note(fmt.Sprintf("run %s: norms of rows of W_dec differ from 1 by up to %.2g, and stay as they are",
			x.result.Run, n.Off()))
	}
	formats := e.to.chosen(x.folder)
	if e.force {
		formats = e.to.chosen()
	}
	files, err := models.Files(m, formats...)
	if err != nil {
		return nil, nil, err
	}
	result, err := export.ResultFile(x.result) // that of the model's folder may have the names of another sweep
	if err != nil {
		return nil, nil, err
	}
	files = append(files, result)
	curve, err := readSmallFile(folder, ledger.CurveFile)
	switch {
	case err == nil:
		files = append(files, models.File{Name: ledger.CurveFile, Body: bytes.NewReader(curve), Size: int64(len(curve))})
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("%s: %w", ledger.CurveFile, err)
	}
	return files, formats, nil
}

// complete gives a run's model what its result tells.
func complete(m *models.Model, x runToExport) error {
	c := x.result.Config
	if m.ActivationDim != c.ActivationDim || m.DictSize != c.DictSize || m.K != c.K {
		return fmt.Errorf("its model in the store is another one: width %d, %d latents, k %d; the run has %d, %d, %d",
			m.ActivationDim, m.DictSize, m.K, c.ActivationDim, c.DictSize, c.K)
	}
	m.Names, m.Metadata = x.result.Names, export.Metadata(x.result)
	m.Facts = append(export.Facts(x.header, x.result), m.Facts...)
	if m.Threshold == nil {
		m.Threshold = x.result.Threshold
	}
	if m.Scale == 0 {
		m.Scale = x.result.Scale
	}
	return nil
}

// readSmallFile reads a file of a folder, of at most 64 MiB.
func readSmallFile(folder fs.FS, name string) ([]byte, error) {
	const most = 64 << 20
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("over %d MiB", most>>20)
	}
	return b, err
}
