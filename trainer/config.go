package trainer

import (
	"fmt"
	"math"
)

// SemanticsVersion is part of every cell's ID. It changes when the same Config
// trains to different bits or is measured by different definitions, so that an older
// result is not reused:
//
//	1  version 0.1.0
//	2  a fingerprint of all rows, held-out rows measured with unit decoder norms,
//	   variances that do not cancel, auxk_loss over all held-out rows at once
//
// What a step trains is the same in both.
const SemanticsVersion = 2

// Config is one cell's hyperparameters, fully resolved. Each exported field is
// a key of grid.yaml, an axis, a part of the cell's ID and a column of the
// results: Fields reads them from the tags here, the only place that lists them.
//
// Tags: json is the key; default is the value of an absent key; min, max, over
// (exclusive lower bound) bound it; oneof lists the words allowed; auto says
// that the word auto is allowed (held as 0 until Resolve); fraction names the
// field that a fraction in [0,1) is taken of, and behind a comma that the word none is
// allowed (held as the value of that field); file says that the grid has a path, and
// Config the hash of what lies there, or "" for the word none; source=data says that
// the data, not the grid, sets it; doc is a line of help.
//
// A field that is added must change no ID of a stored cell. So it is a number with the
// default 0 or a file with the default none, with that everything trains as without the
// field, and its tag has omitzero:
//
//	Momentum float64 `json:"momentum,omitzero" default:"0" min:"0" doc:"…"`
//
// Where it is 0 or "" it is left out of the JSON, and so of the hash; and a stored
// Config that lacks it is read as that.
type Config struct {
	Recipe string `json:"recipe" default:"corrected" oneof:"corrected reference upstream" doc:"training semantics"`

	ActivationDim int `json:"activation_dim" source:"data" min:"1" max:"1048576" doc:"width D of an activation vector"`

	DictSize int `json:"dict_size" default:"32768" min:"1" max:"16777216" doc:"latents F in the dictionary"`

	K int `json:"k" default:"100" min:"1" max:"1048576" doc:"latents kept per token"`

	AuxKAlpha float64 `json:"auxk_alpha" default:"0.03125" min:"0" doc:"weight of the AuxK loss; 0 trains without it"`

	KAux int `json:"k_aux" default:"auto" auto:"true" min:"1" max:"1048576" doc:"latents of AuxK per token; auto is D/2"`

	DecayStart int `json:"decay_start" default:"0.8" fraction:"steps,none" min:"0" doc:"step from which lr falls to 0"`

	Steps int `json:"steps" default:"30000" min:"1" max:"1000000000" doc:"optimizer steps"`

	BatchSize int `json:"batch_size" default:"2048" min:"1" max:"4194304" doc:"tokens B per step"`

	LR float64 `json:"lr" default:"auto" auto:"true" over:"0" doc:"learning rate; auto is 2e-4/sqrt(dict_size/2^14)"`

	WarmupSteps int `json:"warmup_steps" default:"0" fraction:"steps" min:"0" doc:"steps in which lr rises from 0"`

	ThresholdStartStep int `json:"threshold_start_step" default:"1000" min:"0" doc:"steps before threshold averaging"`

	ThresholdBeta float64 `json:"threshold_beta" default:"0.999" min:"0" max:"1" doc:"decay of that average"`

	DeadFeatureThreshold int64 `json:"dead_feature_threshold" default:"10000000" min:"1" doc:"unfired tokens until dead"`

	Seed int64 `json:"seed" default:"0" min:"0" doc:"seed of the initial weights and of the data order"`

	Precision string `json:"precision" default:"f32" oneof:"f32 tf32 bf16" doc:"arithmetic of the encoder's product"`

	// Init is the hash of the weights that training begins from (EncodeWeights), or "" for weights drawn from Seed.
	Init string `json:"init,omitzero" default:"none" file:"true" doc:"folder of a model to begin from"`
}

// Resolve returns c with every auto replaced by its value, and with 0 for -0: equal
// settings then have equal JSON, and so equal IDs.
func (c Config) Resolve() Config {
	for _, x := range []*float64{&c.AuxKAlpha, &c.LR, &c.ThresholdBeta} {
		if *x == 0 {
			*x = 0
		}
	}
	if c.LR == 0 {
		// Reference: lr = 2e-4 / (dict_size / 2**14)**0.5.
		c.LR = 2e-4 / math.Sqrt(float64(c.DictSize)/(1<<14))
	}
	if c.KAux == 0 {
		c.KAux = max(1, c.ActivationDim/2)
	}
	return c
}

// FitDefaults returns c with its defaults brought within what the other fields allow,
// so that no default makes a Config invalid or pointless whose given values are good.
// isDefault says whether the field with that key has its default; all other fields stay
// as they are. Example: 0.8 of 2 steps is step 2, which is no step of the run, so that
// decay_start becomes 1.
func (c Config) FitDefaults(isDefault func(key string) bool) Config {
	if isDefault("k") {
		c.K = min(c.K, c.DictSize)
	}
	if isDefault("decay_start") {
		c.DecayStart = max(0, min(max(c.DecayStart, c.WarmupSteps), c.Steps-1))
	}
	// From other recipes the field keeps its default: it has no effect there, and is part of IDs.
	if r, err := RecipeByName(c.Recipe); err == nil && r.Threshold && isDefault("threshold_start_step") {
		c.ThresholdStartStep = min(c.ThresholdStartStep, c.Steps/2)
	}
	return c
}

// A FieldError says what is wrong with one field of a Config.
type FieldError struct {
	Key string // the field's key in grid.yaml
	Msg string
}

func (e FieldError) Error() string { return e.Key + ": " + e.Msg }

// Validate returns everything that is wrong with a resolved Config: each
// field's own bounds, then the rules between fields. ActivationDim 0 means that the
// data is not known yet: it is not checked.
func (c Config) Validate() []FieldError {
	var errs []FieldError
	bad := func(key, format string, a ...any) {
		errs = append(errs, FieldError{key, fmt.Sprintf(format, a...)})
	}
	for _, f := range Fields() {
		if f.FromData && c.ActivationDim == 0 {
			continue
		}
		if err := f.Check(f.Get(c)); err != nil {
			bad(f.Key, "%v", err)
		}
	}
	if c.K > c.DictSize {
		bad("k", "%d is larger than dict_size %d", c.K, c.DictSize)
	}
	if c.KAux > c.DictSize && c.ActivationDim > 0 && c.KAux != c.ActivationDim/2 {
		bad("k_aux", "%d is larger than dict_size %d", c.KAux, c.DictSize)
	}
	if c.DecayStart > c.Steps {
		errs = append(errs, c.OutsideRun())
	}
	if r, err := RecipeByName(c.Recipe); err == nil && !r.Warmup && c.WarmupSteps > 0 {
		bad("warmup_steps", "recipe %s has no warm-up; use recipe upstream or leave it out", c.Recipe)
	}
	if c.WarmupSteps > c.DecayStart {
		bad("warmup_steps", "%d is larger than decay_start, step %d", c.WarmupSteps, c.DecayStart)
	}
	return errs
}

// OutsideRun returns the error for a decay_start that is no step of the run. Validate
// takes the one right behind the last step, by which the word none is held; from a person
// who has written that number it is an error too.
func (c Config) OutsideRun() FieldError {
	return FieldError{"decay_start", fmt.Sprintf(
		"step %d is outside [0, %d), the steps of the run; none keeps the learning rate constant", c.DecayStart, c.Steps)}
}

// LRAt returns the learning rate of a step, counted from 0: constant until
// decay_start, then falling linearly to 0 at steps (reference: lr_fn), with the
// recipe's warm-up before it. With decay_start at steps it stays constant.
func (c Config) LRAt(step int64) float64 {
	if step < int64(c.WarmupSteps) {
		return c.LR * (float64(step) / float64(c.WarmupSteps))
	}
	if step < int64(c.DecayStart) || c.DecayStart >= c.Steps {
		return c.LR
	}
	return c.LR * (float64(int64(c.Steps)-step) / float64(c.Steps-c.DecayStart))
}

// Params returns the number of trained parameters, 2FD + F + D.
func (c Config) Params() int64 {
	return 2*int64(c.DictSize)*int64(c.ActivationDim) + int64(c.DictSize) + int64(c.ActivationDim)
}

// StateBytes returns the size of a State: the weights and two moments in float32,
// and a counter of 64 bits for each latent. A checkpoint is a little more than it.
func (c Config) StateBytes() int64 { return 3*4*c.Params() + 8*int64(c.DictSize) }

// Tokens returns the number of tokens that the run trains on.
func (c Config) Tokens() int64 { return int64(c.Steps) * int64(c.BatchSize) }
