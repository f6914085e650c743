package trainer

import (
	"fmt"
	"strings"
)

// A Recipe is a named set of training semantics. Each switch is one place where
// the training programs of the field differ.
type Recipe struct {
	Name string

	// InitFromDecoder draws W_dec ~ U(±1/√F), scales its rows to unit norm and
	// copies them to W_enc. Otherwise W_enc ~ U(±1/√D) is drawn and W_dec is its
	// rows at unit norm.
	InitFromDecoder bool

	// FiredAtZero counts a latent as fired when it is among a row's top k even
	// with a value of zero. Otherwise only kept activations > 0 count.
	FiredAtZero bool

	// DeadAtThreshold calls a latent dead when its tokens since fired are ≥ the
	// threshold. Otherwise they must be > the threshold.
	DeadAtThreshold bool

	// InertAuxK is the reference's AuxK loss: its input is the post-top-k
	// activations of dead latents, which are always zero, decoded with b_dec and
	// compared with x̂−x, which is not detached; each dimension is divided by the
	// batch's variance there. It does not reach dead latents. Otherwise AuxK
	// decodes, without b_dec, the ReLU pre-activations of the k_aux largest dead
	// latents of each row against the detached residual x−x̂, divided by the
	// residual's variance, NaN taken as 0.
	InertAuxK bool

	// NormaliseLast scales the decoder's rows to unit norm at the end of a step
	// instead of at its start.
	NormaliseLast bool

	// ProjectFirst removes the decoder gradient's component along each decoder
	// row before the gradients are clipped, dividing the row by its norm + 1e-6,
	// instead of after, with the row as it stands.
	ProjectFirst bool

	// Warmup enables warmup_steps; Threshold enables the moving average of the
	// smallest positive kept activation after threshold_start_step.
	Warmup    bool
	Threshold bool
}

// Recipes lists every recipe, the default first.
func Recipes() []Recipe {
	return []Recipe{
		// The reference with AuxK and the firing rule as the paper has them
		// (arXiv 2406.04093, appendix A.2).
		{Name: "corrected"},
		// dictionary_learning at 475fece, TrainerTopK.
		{Name: "reference", FiredAtZero: true, InertAuxK: true},
		// dictionary_learning at 60ec6bf, TopKTrainer.
		{
			Name: "upstream", InitFromDecoder: true, FiredAtZero: true, DeadAtThreshold: true,
			NormaliseLast: true, ProjectFirst: true, Warmup: true, Threshold: true,
		},
	}
}

// RecipeByName returns the recipe of that name.
func RecipeByName(name string) (Recipe, error) {
	var names []string
	for _, r := range Recipes() {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return Recipe{}, fmt.Errorf("recipe %q: want one of %s", name, strings.Join(names, ", "))
}

// Dead reports whether a latent that fired since tokens ago is dead.
func (r Recipe) Dead(since, threshold int64) bool {
	if r.DeadAtThreshold {
		return since >= threshold
	}
	return since > threshold
}
