package plain

import "math"

// countFired moves the counters on by a batch and says which latents are dead.
func (m *Model) countFired(p *pass) {
	fired_F := make([]bool, len(m.SinceFired_F))
	for b, latents_K := range p.kept_BK {
		for _, f := range latents_K {
			if m.Recipe.FiredAtZero || p.pre_BF[b][f] > 0 {
				fired_F[f] = true
			}
		}
	}
	p.sinceFired_F, p.dead_F = make([]int64, len(fired_F)), make([]bool, len(fired_F))
	for f, since := range m.SinceFired_F {
		if !fired_F[f] {
			p.sinceFired_F[f] = since + int64(len(p.kept_BK))
		}
		if m.Recipe.Dead(p.sinceFired_F[f], m.Config.DeadFeatureThreshold) {
			p.dead_F[f] = true
			p.nDead++
		}
	}
}

// averageThreshold moves the average of the tokens' smallest positive kept
// activation on. A token without one is left out.
func (m *Model) averageThreshold(p *pass) {
	if !m.Recipe.Threshold || m.Step <= int64(m.Config.ThresholdStartStep) {
		return
	}
	total, n := 0.0, 0.0
	for b, latents_K := range p.kept_BK {
		least := math.Inf(1)
		for _, f := range latents_K {
			if a := p.pre_BF[b][f]; a > 0 {
				least = min(least, a)
			}
		}
		if !math.IsInf(least, 1) {
			total += least
			n++
		}
	}
	switch beta := m.Config.ThresholdBeta; {
	case n == 0:
	case m.Threshold < 0:
		m.Threshold = total / n
	default:
		m.Threshold = beta*m.Threshold + (1-beta)*total/n
	}
}
