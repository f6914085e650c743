//go:build cuda

package kernels

import (
	"embed"
	"fmt"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// Class is the class of all GPUs (trainer.Hardware.Class). The PTX says of each operation how
// it is rounded, and no library decides a bit. So all GPUs give equal bits. The number is that
// of the bits: whoever changes them raises it.
const Class = "cuda kernels 2"

//go:embed ptx/*.ptx
var ptx embed.FS

// A Set holds all kernels by their names, loaded on one device.
type Set map[string]driver.Function

// kernelsOf lists the kernels of each .cu file.
func kernelsOf() map[string][]string {
	return map[string][]string{
		"auxk": {"auxk_total", "inert_auxk", "inert_auxk_total"},
		"backward": {
			"backward1", "backward2", "backward3", "backward4", "backward_wide",
			"rejoin1", "rejoin2", "rejoin3", "rejoin4", "rejoin_wide",
		},
		"centre":  {"centre", "round_rows"},
		"choose":  {"choose", "choose_rest"},
		"columns": {"column_sums", "column_totals", "bias_gradient"},
		"decode":  {"decode"},
		"fired":   {"count_fired"},
		"gather":  {"gather_batch", "gather_latents"},
		"group":   {"scan_blocks", "scan", "scatter", "order"},
		"median":  {"median_weights", "median_columns", "median_next", "median_set"},
		"screen":  {"maxima1", "maxima2", "maxima4", "maxima8"},
		"totals":  {"step_sums", "step_totals"},
		"update":  {"update1", "update2", "update3", "update4", "dec_scales"},
	}
}

// Load loads all kernels. The caller has entered the device.
func Load(d *driver.Device) (Set, error) {
	set := Set{}
	for file, names := range kernelsOf() {
		text, err := ptx.ReadFile("ptx/" + file + ".ptx")
		if err != nil {
			return nil, fmt.Errorf("kernels: %w", err)
		}
		module, err := d.Load(text)
		if err != nil {
			return nil, fmt.Errorf("kernels: %s: %w", file, err)
		}
		for _, name := range names {
			if set[name], err = module.Function(name); err != nil {
				return nil, fmt.Errorf("kernels: %s: %w", file, err)
			}
		}
	}
	return set, nil
}
