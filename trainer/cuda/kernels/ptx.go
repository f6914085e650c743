//go:build cuda

package kernels

import (
	"embed"
	"fmt"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

//go:embed ptx/*.ptx
var ptx embed.FS

// A Set is all kernels, loaded on one device.
type Set map[string]driver.Function

// names are the kernels of each file.
var names = map[string][]string{
	"auxk":     {"auxk_total", "inert", "inert_total"},
	"backward": {"backward1", "backward2", "backward3", "backward4", "backward_wide", "rejoin1", "rejoin2", "rejoin3", "rejoin4", "rejoin_wide"},
	"center":   {"center", "to_bf16", "pick"},
	"columns":  {"columns", "column_totals", "bias_gradient"},
	"counters": {"counters"},
	"decode":   {"decode"},
	"gather":   {"gather"},
	"group":    {"scan_blocks", "scan", "scatter", "order"},
	"median":   {"median_weights", "median_columns", "median_next", "median_set"},
	"sift":     {"sift", "sifted"},
	"totals":   {"sums", "totals"},
	"update":   {"update1", "update2", "update3", "update4", "units"},
}

// Load loads every kernel. The device is entered.
func Load(d *driver.Device) (Set, error) {
	set := Set{}
	for file, kernels := range names {
		text, err := ptx.ReadFile("ptx/" + file + ".ptx")
		if err != nil {
			return nil, fmt.Errorf("kernels: %w", err)
		}
		module, err := d.Load(text)
		if err != nil {
			return nil, fmt.Errorf("kernels: %s: %w", file, err)
		}
		for _, name := range kernels {
			if set[name], err = module.Function(name); err != nil {
				return nil, fmt.Errorf("kernels: %s: %w", file, err)
			}
		}
	}
	return set, nil
}
