package models_test

import (
	"fmt"
	"io"
	"os"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/models"
)

func Example() {
	layer, yes := 6, true
	m := &models.Model{
		ActivationDim: 2, DictSize: 3, K: 1,
		W: trainer.Params{
			WEnc: []float32{1, 2, 3, 4, 5, 6}, BEnc: []float32{0.5, -0.5, 0},
			WDec: []float32{1, 0, 0, 1, -1, 0}, BDec: []float32{7, 8},
		},
		Names: trainer.Names{LMName: "openai-community/gpt2", Layer: &layer, SubmoduleName: "resid_post",
			ModulePath: "h.6", ContextLength: 128, DropSpecial: &yes},
		Facts: []models.Fact{{Name: "nmse", Value: "0.158"}, {Name: "a|b", Value: "<i> *x*\n[y](z)"}},
	}
	files, err := models.Files(m, models.Sparsify, models.SAELens, models.DictionaryLearning)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range files {
		fmt.Println(f.Name)
	}
	fmt.Println()
	for _, f := range files {
		if f.Name == "README.md" {
			io.Copy(os.Stdout, io.NewSectionReader(f.Body, 0, f.Size))
		}
	}
	// Output:
	// sae.safetensors
	// sae_weights.safetensors
	// ae.pt
	// config.json
	// cfg.json
	// README.md
	//
	// ---
	// library_name: saelens
	// tags:
	// - sparse-autoencoder
	// - top-k
	// - interpretability
	// - sparsify
	// - dictionary_learning
	// base_model: "openai-community/gpt2"
	// ---
	//
	// # Top-K sparse autoencoder
	//
	// It reconstructs activations of width 2 with 3 latents. Of each token it keeps the 1 with the largest
	// activations. Its input is not scaled: activations are as the language model puts them out.
	//
	// | | |
	// |---|---|
	// | language model | openai-community/gpt2 |
	// | layer, from 0 | 6 |
	// | place | resid_post |
	// | module | h.6 |
	// | hook in TransformerLens | blocks.6.hook_resid_post |
	// | tokens per context | 128 |
	// | special tokens are left out | yes |
	//
	// ## Loading it
	//
	// In plain torch, in this folder. `x` holds activations, float32 [tokens, 2]:
	//
	// ```python
	// import torch
	// from safetensors.torch import load_file
	// w = load_file("sae.safetensors")
	// pre = torch.relu((x - w["b_dec"]) @ w["encoder.weight"].T + w["encoder.bias"])
	// top = pre.topk(1, dim=-1)
	// acts = torch.zeros_like(pre).scatter(-1, top.indices, top.values)
	// x_hat = acts @ w["W_dec"] + w["b_dec"]
	// ```
	//
	// `acts`, [tokens, 3], are the activations of the latents, and `x_hat` is the reconstruction.
	//
	// In sparsify. Without a GPU, set `SPARSIFY_DISABLE_TRITON=1` before Python starts:
	//
	// ```python
	// from sparsify import SparseCoder
	// sae = SparseCoder.load_from_disk(".")
	// ```
	//
	// In SAELens:
	//
	// ```python
	// from sae_lens import SAE
	// sae = SAE.load_from_disk(".")
	// ```
	//
	// In dictionary_learning:
	//
	// ```python
	// from dictionary_learning.utils import load_dictionary
	// sae, config = load_dictionary(".", device="cpu")
	// ```
	//
	// ## Settings and metrics
	//
	// | | |
	// |---|---|
	// | nmse | 0.158 |
	// | a\|b | &lt;i&gt; \*x\* \[y\](z) |
}
