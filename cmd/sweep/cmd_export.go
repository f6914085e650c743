package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/export"
)

type exportOptions struct {
	location  location
	selection selectionOptions
	of        []string // sweeps by name or ID, and runs by ID or its beginning
	to        formatsFlag
	out       string // folder
	name      nameFlag
	force     bool
	output    format
}

func newExportCommand(env *environment) *cobra.Command {
	o := exportOptions{output: newFormat("text", "json")}
	c := &cobra.Command{
		Use:   "export RUN|SWEEP…",
		Short: "Write models of runs as the files of other tools",
		Long: `Write the models of finished runs as folders that other tools load: sparsify, SAELens,
dictionary_learning, and the reference, which is dictionary_learning's first Top-K model.
SWEEP is a name or an ID; RUN is the ID of a cell, or its beginning. No server is needed.

A folder has the name of its sweep, and in that of the settings that vary. --name names
folders by any column of the results: '{layer}/k{k}_f{dict_size}'. Values are made safe for
paths. A folder that is not there appears whole; to one that is there files are added.
What holds another model is left as it is, unless --force replaces it.

A run without a result, or with a damaged model, is named and left out, and the exit status
is 1.`,
		Example: `  sweep export topk-demo
  sweep export topk-demo --to saelens --out saes --where 'k=32'
  sweep export topk-demo --name '{layer}/k{k}_f{dict_size}' -o json
  sweep export 036c8426ea --to all --out .`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.of = args
			return runExport(c.Context(), env, o)
		},
	}
	f := c.Flags()
	o.location.addFlags(f)
	o.selection.addFlags(f)
	o.to.addFlag(f)
	f.StringVar(&o.out, "out", "exports", "`folder` for the folders of the models; it is made if it is not there")
	f.Var(&o.name, "name", "`template` for the folders' names, with columns of the results in braces")
	f.BoolVar(&o.force, "force", false, "replace folders of other models")
	o.output.addFlag(f)
	completeFlags(c, &o.location)
	return c
}

// A nameFlag is the value of the flag --name.
type nameFlag struct {
	is    export.Name
	given bool
}

// Set implements pflag.Value.
func (n *nameFlag) Set(s string) (err error) {
	if n.is, err = export.ParseName(s); err != nil {
		return inputError{fmt.Errorf("--name %q: %w", s, err)}
	}
	n.given = true
	return nil
}

func (n *nameFlag) Type() string   { return "template" }
func (n *nameFlag) String() string { return n.is.String() }

// runExport is the verb export.
func runExport(ctx context.Context, env *environment, o exportOptions) error {
	if err := o.selection.check(); err != nil {
		return err
	}
	l, err := openLedger(ctx, o.location)
	if err != nil {
		return err
	}
	runs, err := o.find(ctx, env, l)
	if err != nil {
		return err
	}
	e := exporter{env: env, ledger: l, to: o.to, force: o.force}
	if err := e.all(ctx, runs); err != nil {
		return err
	}
	if o.output.name == "json" {
		if err := env.writeJSON(e.report); err != nil {
			return err
		}
	} else {
		for _, x := range e.report.Exported {
			fmt.Fprintln(env.out, x.Folder)
		}
	}
	if n := len(e.report.Failed); n > 0 {
		return fmt.Errorf("%d of %d runs are not exported", n, len(runs))
	}
	return nil
}
