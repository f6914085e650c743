package trainer

// A Roofline is what a device could do at best, after the roofline model
// (Williams, Waterman, Patterson 2009): the rates of a backend's products on
// operands that stay in the nearest cache, and the bandwidth of memory read and
// written in place.
type Roofline struct {
	Path    string  `json:"path"` // what the backend runs on: an instruction path, a GPU's name
	Threads int     `json:"threads"`
	GFLOPS  float64 `json:"gflops"`         // of a float32 GEMM
	Product float64 `json:"product_gflops"` // of the product that the step makes: the same where that is float32
	GBs     float64 `json:"gb_per_second"`
}

// StepSeconds returns the time of the best possible step with a float32 product:
// the one dense product, 2·B·D·F operations, at the rate of a GEMM, and weights
// and moments once read and once written at memory's bandwidth.
func (r Roofline) StepSeconds(c Config) float64 { return r.at(c, r.GFLOPS) }

// ProductStepSeconds returns the same with the product at the rate of the
// backend's own.
func (r Roofline) ProductStepSeconds(c Config) float64 { return r.at(c, r.Product) }

func (r Roofline) at(c Config, gflops float64) float64 {
	return c.ProductFlops()/gflops/1e9 + c.UpdateBytes()/r.GBs/1e9
}

// ProductFlops returns the operations of a step's one dense product, 2·B·D·F.
func (c Config) ProductFlops() float64 {
	return 2 * float64(c.BatchSize) * float64(c.ActivationDim) * float64(c.DictSize)
}

// UpdateBytes returns the bytes that a step moves at least: weights and two
// moments in float32, once read and once written.
func (c Config) UpdateBytes() float64 { return 2 * 3 * 4 * float64(c.Params()) }
