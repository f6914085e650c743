package trainer

// A Floor is what a device could do at best: the rates of a backend's products on
// operands that stay in the nearest cache, and the bandwidth of memory read and
// written in place.
type Floor struct {
	Path    string  `json:"path"` // what the backend runs on: an instruction path, a GPU's name
	Threads int     `json:"threads"`
	GFLOPS  float64 `json:"gflops"`         // of a float32 GEMM
	Product float64 `json:"product_gflops"` // of the product that the step makes: the same where that is float32
	GBs     float64 `json:"gb_per_second"`
}

// A Gauge is a Backend that can measure its device's Floor.
type Gauge interface {
	Floor() (Floor, error)
}

// Seconds returns the time that a step with a float32 product cannot go below:
// the one dense product, 2·B·D·F operations, at the rate of a GEMM, and weights
// and moments once read and once written at memory's bandwidth.
func (f Floor) Seconds(c Config) float64 { return f.at(c, f.GFLOPS) }

// ProductSeconds returns the same with the product at the rate of the backend's own.
func (f Floor) ProductSeconds(c Config) float64 { return f.at(c, f.Product) }

func (f Floor) at(c Config, gflops float64) float64 {
	return c.ProductFlops()/gflops/1e9 + c.SweepBytes()/f.GBs/1e9
}

// ProductFlops returns the operations of a step's one dense product, 2·B·D·F.
func (c Config) ProductFlops() float64 {
	return 2 * float64(c.BatchSize) * float64(c.ActivationDim) * float64(c.DictSize)
}

// SweepBytes returns the bytes that a step moves at least: weights and two
// moments in float32, once read and once written.
func (c Config) SweepBytes() float64 { return 2 * 3 * 4 * float64(c.Params()) }
