package scaling

// A Point is what a form is fitted to: the best cells of one k and dict_size, or a point of an envelope.
type Point struct {
	K        int64    `json:"k"` // 0: not known, in curves of a file without it
	DictSize int64    `json:"dict_size"`
	Flops    *float64 `json:"flops"` // of form c: compute up to the point, dense-equivalent
	NMSE     float64  `json:"nmse"`  // mean over the seeds
	Std      *float64 `json:"std"`   // over the seeds, with n − 1; nil for one seed
	Seeds    int      `json:"seeds"` // runs that the mean is over
	Setting  string   `json:"setting"`
	Cells    []string `json:"cells"` // IDs, where the table has them
	Tokens   *int64   `json:"tokens"`
	Step     *int64   `json:"step"` // of form c
}

func (p Point) k() float64 { return max(float64(p.K), 1) }

// size is the variable that the loss falls with.
func (p Point) size(f Form) float64 {
	if f == C {
		if p.Flops == nil {
			return 1
		}
		return *p.Flops
	}
	return float64(p.DictSize)
}
