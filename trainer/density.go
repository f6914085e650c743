package trainer

import "slices"

// densityEdges are the lower edges of the bins of Metrics.Density from its third bin on, as shares of the held-out
// rows: powers of 10, four in each decade.
var densityEdges = []float64{
	1e-5, 1.7782794100389228e-5, 3.1622776601683795e-5, 5.623413251903491e-5,
	1e-4, 1.7782794100389227e-4, 3.1622776601683794e-4, 5.623413251903491e-4,
	1e-3, 1.7782794100389228e-3, 3.1622776601683795e-3, 5.623413251903491e-3,
	1e-2, 1.7782794100389228e-2, 3.1622776601683794e-2, 5.623413251903491e-2,
	1e-1, 1.7782794100389228e-1, 3.1622776601683794e-1, 5.623413251903491e-1,
}

// DensityBins is the number of bins of Metrics.Density.
const DensityBins = 22

// DensityEdges returns the edges of the bins of Metrics.Density. Bin 0 has the latents that are kept in no row. Bin i
// from 1 on has those that are kept in a share s of the rows with edges[i-1] ≤ s < edges[i], and the last bin those
// with s = 1 too. The first edge is 0; the others are powers of 10, from 10^−5 on, four in each decade.
func DensityEdges() []float64 { return slices.Concat([]float64{0}, densityEdges, []float64{1}) }

// density returns the histogram of latents by the share of rows in which they are kept. kept_F has the number of rows
// of each latent.
func density(kept []int64, rows int64) []int64 {
	bins := make([]int64, DensityBins)
	for _, n := range kept {
		bin := 0
		if n > 0 {
			share := float64(n) / float64(rows)
			bin = 1 + len(densityEdges)
			for bin > 1 && share < densityEdges[bin-2] {
				bin--
			}
		}
		bins[bin]++
	}
	return bins
}
