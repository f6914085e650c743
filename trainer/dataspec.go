package trainer

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// DataSpec says what to train on: the data section of grid.yaml.
type DataSpec struct {
	Source     string     `json:"source,omitempty"`      // a directory or a glob of activation shards
	Synthetic  *Synthetic `json:"synthetic,omitempty"`   // or sparse sums of known directions
	Normalize  string     `json:"normalize"`             // none | mean_square
	EvalTokens int64      `json:"eval_tokens"`           // rows held out; 0: all of EvalSource, else min(65,536, a tenth)
	MaxNorm    string     `json:"max_norm,omitempty"`    // leave longer rows out: a norm, or 10x_median
	Verify     string     `json:"verify,omitempty"`      // whole (or empty) | sample: what the fingerprint covers
	EvalSource string     `json:"eval_source,omitempty"` // held-out rows of one's own: as Source, all of its rows
	Shuffle    string     `json:"shuffle,omitempty"`     // full (or empty) | blocks: the order of the training rows
	Tensor     string     `json:"tensor,omitempty"`      // the tensor or column of a file that holds the rows
	Raw        *Raw       `json:"raw,omitempty"`         // the files hold bare numbers
	Names
}

// Raw says what files of bare numbers hold: rows of little-endian numbers, one after the other, as
// numpy.ndarray.tofile and numpy.memmap write them.
type Raw struct {
	DType  string `json:"dtype"`            // f16 | bf16 | f32 | f64
	Width  int    `json:"width"`            // numbers in a row
	Offset int64  `json:"offset,omitempty"` // bytes of each file before its first row
}

// ParseMaxNorm reads DataSpec.MaxNorm: a norm, or a number of median norms, such as
// 10x_median. One of the results is more than 0, and the other is 0.
func ParseMaxNorm(text string) (norm, medians float64, err error) {
	number, ofMedian := strings.CutSuffix(text, "x_median")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v > 0 && v <= math.MaxFloat64) {
		return 0, 0, fmt.Errorf("%q is neither a positive number nor one followed by x_median, such as 10x_median", text)
	}
	if ofMedian {
		return 0, v, nil
	}
	return v, 0, nil
}

// Synthetic describes data whose true directions are known: each row is a
// sparse sum of unit directions plus Gaussian noise, a pure function of (seed,
// row).
type Synthetic struct {
	ActivationDim int     `json:"activation_dim"` // width of a row
	Directions    int     `json:"directions"`     // true directions
	Tokens        int64   `json:"tokens"`         // rows
	Active        float64 `json:"active"`         // mean number of directions in a row
	Zipf          float64 `json:"zipf"`           // direction i has frequency ∝ (i+1)^-zipf
	Noise         float64 `json:"noise"`          // standard deviation per dimension
	Seed          int64   `json:"seed"`
}

// DataInfo describes the data of a DataSpec, once it is opened. HugeShare is the share of
// the mean square in rows of over 10 median norms: of the sample, or of the held-out rows
// if it is larger there.
type DataInfo struct {
	Rows        int64   `json:"rows"`           // all of them: of eval_source only those that are held out
	EvalRows    int64   `json:"eval_rows"`      // of them held out
	Dim         int     `json:"activation_dim"` // width of a row
	DType       string  `json:"dtype"`          // as stored: F32, F16, BF16
	Shards      int     `json:"shards"`
	Bytes       int64   `json:"bytes"`
	Scale       float64 `json:"scale"`       // rows are multiplied by it (normalize); 1 = as stored
	MeanNorm    float64 `json:"mean_norm"`   // of the rows as stored, over a sample
	Fingerprint string  `json:"fingerprint"` // of all that training sees: rows, order, scale, held-out rows

	MedianNorm   float64  `json:"median_norm,omitempty"`        // of the rows that are not all zeros, over the same sample
	MaxNorm      float64  `json:"max_norm,omitempty"`           // rows longer than this are left out; 0 = none
	LeftOut      int64    `json:"rows_left_out,omitempty"`      // rows that MaxNorm leaves out; Rows is without them
	HugeShare    float64  `json:"huge_rows_share,omitempty"`    // 0 to 1
	FarRows      int64    `json:"far_rows,omitempty"`           // held-out rows with half the variance, if only few
	EvalRepeated int64    `json:"eval_rows_repeated,omitempty"` // held-out rows that are training rows too
	Notes        []string `json:"notes,omitempty"`              // what a person should know of the data, a sentence each
}
