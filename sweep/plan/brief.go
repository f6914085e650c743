package plan

import "github.com/topksweep/sweep/trainer"

// Brief is the part of a run's metrics that histories and the Web UI hold. The stored result has all of them. The
// formulas are those of trainer.Metrics.
type Brief struct {
	NMSE         *float64 `json:"nmse"`
	L2Loss       float64  `json:"l2_loss"`
	AuxKLoss     *float64 `json:"auxk_loss"`
	L0           float64  `json:"l0"`
	DeadLatents  int      `json:"dead_latents"`
	DeadFraction float64  `json:"dead_fraction"`
}

// BriefOf returns the brief form of metrics.
func BriefOf(m trainer.Metrics) Brief {
	return Brief{
		NMSE: m.NMSE, L2Loss: m.L2Loss, AuxKLoss: m.AuxKLoss, L0: m.L0,
		DeadLatents: m.DeadLatents, DeadFraction: m.DeadFraction,
	}
}
