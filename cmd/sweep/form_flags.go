package main

import (
	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/trainer"
)

// formFlags say how files hold rows, as the keys tensor and raw of a grid's data do.
type formFlags struct {
	tensor string
	raw    trainer.Raw
}

// addFlags adds the flags to a verb that reads shards, and completes their values.
func (o *formFlags) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.tensor, "tensor", "", "as data.tensor of a grid: the tensor or column that holds the rows")
	f.StringVar(&o.raw.DType, "raw-dtype", "",
		"as data.raw.dtype of a grid: the files hold bare numbers, f16, bf16, f32 or f64")
	f.IntVar(&o.raw.Width, "raw-width", 0, "as data.raw.width of a grid: numbers in a row")
	f.Int64Var(&o.raw.Offset, "raw-offset", 0, "as data.raw.offset of a grid: bytes before the first row")
	_ = c.RegisterFlagCompletionFunc("raw-dtype", cobra.FixedCompletions(
		[]cobra.Completion{"f16", "bf16", "f32", "f64"}, cobra.ShellCompDirectiveNoFileComp))
}

// set sets the keys of spec.
func (o *formFlags) set(spec *trainer.DataSpec) {
	spec.Tensor = o.tensor
	if o.raw != (trainer.Raw{}) {
		spec.Raw = &o.raw
	}
}
