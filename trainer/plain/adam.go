package plain

import "math"

// clipAndProject clips the gradients to a global norm of 1 and removes from the
// decoder's what would change the norm of its rows, in the recipe's order. It
// returns the norm before the clip.
func (m *Model) clipAndProject(g Params) (norm float64) {
	if m.Recipe.ProjectFirst {
		m.project(g.Dec_FD)
	}
	for _, v := range g.rows() {
		norm += dot(v, v)
	}
	norm = math.Sqrt(norm)
	for _, v := range g.rows() {
		for i := range v {
			v[i] *= min(1, 1/(norm+1e-6)) // torch.nn.utils.clip_grad_norm_
		}
	}
	if !m.Recipe.ProjectFirst {
		m.project(g.Dec_FD)
	}
	return norm
}

// project removes each gradient's component along its decoder row
// (remove_gradient_parallel_to_decoder_directions). Recipe upstream divides the
// row by its norm for that; the others take it as it stands.
func (m *Model) project(g_FD [][]float64) {
	for f, row_D := range m.W.Dec_FD {
		if m.Recipe.ProjectFirst {
			row_D = scaled(1/(norm(row_D)+1e-6), row_D)
		}
		addScaled(g_FD[f], -dot(g_FD[f], row_D), row_D)
	}
}

// adam is torch.optim.Adam with its defaults: β = (0.9, 0.999), ε = 1e-8.
func (m *Model) adam(gradients Params, rate float64) {
	const beta1, beta2, eps = 0.9, 0.999, 1e-8
	t := float64(m.Step + 1)
	unbias1, unbias2 := 1-math.Pow(beta1, t), 1-math.Pow(beta2, t)
	weights, firsts, seconds := m.W.rows(), m.M.rows(), m.V.rows()
	for row, gradient := range gradients.rows() {
		w, first, second := weights[row], firsts[row], seconds[row]
		for i, g := range gradient {
			first[i] = beta1*first[i] + (1-beta1)*g
			second[i] = beta2*second[i] + (1-beta2)*g*g
			w[i] -= rate * (first[i] / unbias1) / (math.Sqrt(second[i]/unbias2) + eps)
		}
	}
}
