package trainer

// Metrics are measured on held-out tokens with sums in float64, without any
// side effect on training. Each field is a column of the results; its name,
// order and formula stand here and nowhere else. x is a held-out row, x̂ its
// reconstruction, x̄ the mean of the held-out rows, N their number. What cannot
// be computed (no variance, no row that counts) is null. The model is the one that
// is exported: W_dec has rows of unit norm.
type Metrics struct {
	L2Loss float64 `json:"l2_loss" doc:"mean ‖x̂−x‖², as trained"`

	NMSE *float64 `json:"nmse" doc:"Σ‖x̂−x‖² ÷ Σ‖x−x̄‖²: the error over that of always predicting the mean"`

	FVU *float64 `json:"fvu" doc:"fraction of variance unexplained, as sparsify defines it: the same number as nmse"`

	ExplainedVariance *float64 `json:"explained_variance" doc:"1 − fvu, as SAELens defines it"`

	Cosine *float64 `json:"cosine" doc:"mean cosine of x and x̂"`

	L2Ratio *float64 `json:"l2_ratio" doc:"mean ‖x̂‖ ÷ ‖x‖"`

	ReconstructionBias *float64 `json:"relative_reconstruction_bias" doc:"Σ‖x̂‖² ÷ Σ x·x̂ (arXiv 2404.16014)"`

	L0 float64 `json:"l0" doc:"mean number of kept activations > 0"`

	AuxKLoss *float64 `json:"auxk_loss" doc:"the recipe's AuxK loss, before auxk_alpha; 0 with no dead latent"`

	DeadLatents int `json:"dead_latents" doc:"latents dead by tokens since fired at the end of training"`

	DeadFraction float64 `json:"dead_fraction" doc:"dead_latents ÷ dict_size"`

	FirstDeadStep *int64 `json:"first_dead_step" doc:"the first step in which a latent was dead; empty if none ever was"`

	SilentLatents int `json:"silent_latents" doc:"latents with no kept activation > 0 on the held-out rows"`

	AliveFraction float64 `json:"alive_fraction" doc:"1 − silent_latents ÷ dict_size"`

	FracVarianceExplained *float64 `json:"frac_variance_explained,omitempty" doc:"1 − Σ_d Var(x−x̂) ÷ Σ_d Var(x)"`

	L1 *float64 `json:"l1,omitempty" doc:"mean Σ of the kept activations, as trained"`

	DecoderCosine *float64 `json:"decoder_cosine,omitempty" doc:"mean absolute cosine of two rows of W_dec"`

	Density []int64 `json:"density,omitempty" doc:"latents by the share of held-out rows that keep them, in 22 bins"`

	Recovery *float64 `json:"recovery" doc:"synthetic data: mean best cosine of a true direction"`

	Recovered *float64 `json:"recovered" doc:"synthetic data: share of the true directions with a cosine over 0.9"`

	EvalTokens int64 `json:"eval_tokens" doc:"N"`
}
