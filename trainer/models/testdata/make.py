"""Writes the folders of models here, each with the package that it is of, and what the package computes with it.

  python make.py

Written with torch 2.15.0, sae-lens 6.54.12 and dictionary-learning 0.1.0. Every folder has 32 latents of width 8, and
keeps 4. Its weights are random. expected.json has three rows x, the activations of the latents and the reconstruction,
in float64. deploy/interop/small.py writes more.
"""
import json
import shutil
from pathlib import Path

import torch
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from sae_lens import __version__
from sae_lens.saes.sae import SAEMetadata
from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig, TopKTrainingSAE, TopKTrainingSAEConfig

D, F, K = 8, 32, 4
here = Path(__file__).parent / "foldings"
torch.manual_seed(13)
x = torch.randn(3, D, dtype=torch.float64)


def folder(name):
    shutil.rmtree(here / name, ignore_errors=True)
    (here / name).mkdir(parents=True)
    return here / name


def expect(path, acts, x_hat):
    what = {"x": x.tolist(), "acts": acts.tolist(), "x_hat": x_hat.tolist()}
    (path / "expected.json").write_text(json.dumps(what) + "\n")


def randomise(module):
    for p in module.parameters():
        p.data = torch.randn(p.shape, dtype=torch.float64).to(p.dtype)


def saelens(name, dtype="float32", training=False, scale=None, **settings):
    metadata = SAEMetadata(model_name="gpt2", hook_name="blocks.3.hook_resid_post", context_size=64, prepend_bos=True)
    if scale:
        settings["normalize_activations"] = "expected_average_only_in"
    settings = dict(d_in=D, d_sae=F, k=K, dtype=dtype, metadata=metadata, **settings)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(**settings)) if training else TopKSAE(TopKSAEConfig(**settings))
    randomise(sae)
    path = folder(name)
    sae.save_model(path)
    if scale:  # as SAELens' trainer writes it beside a checkpoint
        (path / "activation_scaler.json").write_text(json.dumps({"scaling_factor": scale}))
    sae = sae.to(dtype=torch.float64)
    s = scale or 1
    with torch.no_grad():
        acts = sae.encode(x * s)
        expect(path, acts.to_dense() if acts.is_sparse else acts, sae.decode(acts) / s)


def dictionary_learning(name, dtype):
    sae = AutoEncoderTopK(D, F, K)
    sae.encoder.weight.data = torch.randn(F, D)
    sae.encoder.bias.data = torch.randn(F)
    sae.b_dec.data = torch.randn(D)
    sae.threshold.fill_(0.75)
    sae = sae.to(dtype)
    path = folder(name)
    trainer = {"trainer_class": "TopKTrainer", "dict_class": "AutoEncoderTopK", "k": K, "layer": 3, "lm_name": "org/lm"}
    (path / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"d_submodule": D, "ctx_len": 64}}))
    torch.save({k: v.cpu() for k, v in sae.state_dict().items()}, path / "ae.pt")
    sae = sae.double()
    expect(path, sae.encode(x), sae(x))


with torch.no_grad():
    saelens("saelens-all", apply_b_dec_to_input=False, rescale_acts_by_decoder_norm=True)
    saelens("saelens-f16", "float16", rescale_acts_by_decoder_norm=True)
    saelens("saelens-f64", "float64", apply_b_dec_to_input=False)
    saelens("saelens-training", training=True)
    saelens("saelens-scaled", training=True, scale=3.5, apply_b_dec_to_input=False)
    dictionary_learning("dictionary_learning-bf16", torch.bfloat16)
    dictionary_learning("dictionary_learning-f64", torch.float64)
print(torch.__version__, __version__)
