"""Each tool's own way to load a folder, and its own forward pass. All take [n, D] rows and give latents and x̂."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("SPARSIFY_DISABLE_TRITON", "1")  # before sparsify is imported: without a GPU its decoder fails
os.environ.setdefault("WANDB_MODE", "disabled")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from torch import nn

import sae_bench.custom_saes.topk_sae as saebench
import sae_lens.loading.pretrained_sae_loaders as saelens_loaders
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from dictionary_learning.utils import load_dictionary
from sae_lens import SAE
from sparsify import SparseCoder

from forward import Output

Tool = Callable[[np.ndarray], Output]


class Reference(nn.Module):
    """The model of dictionary_learning at 475fece: four tensors, and a k that from_pretrained is given."""

    def __init__(self, activation_dim: int, dict_size: int, k: int):
        super().__init__()
        self.k = k
        self.encoder = nn.Linear(activation_dim, dict_size)
        self.decoder = nn.Linear(dict_size, activation_dim, bias=False)
        self.b_dec = nn.Parameter(torch.zeros(activation_dim))

    @staticmethod
    def from_pretrained(path: str | Path, k: int) -> Reference:
        state = torch.load(path, weights_only=True)
        dict_size, activation_dim = state["encoder.weight"].shape
        model = Reference(activation_dim, dict_size, k)
        model.load_state_dict(state)  # strict: these four and no other
        return model

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        values, latents = torch.relu(self.encoder(x - self.b_dec)).topk(self.k, sorted=False, dim=-1)
        return x.new_zeros(*x.shape[:-1], self.encoder.out_features).scatter_(-1, latents, values)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.decoder(latents) + self.b_dec


def dense(model, dtype: torch.dtype = torch.float32, **encode) -> Tool:
    """The forward pass of a model whose encode gives all latents."""

    @torch.no_grad()
    def run(x: np.ndarray) -> Output:
        latents = model.encode(torch.from_numpy(x).to(dtype), **encode)
        if latents.is_sparse:
            latents = latents.to_dense()
        return latents.numpy(), model.decode(latents).numpy()

    return run


def sparse(model: SparseCoder, dtype: torch.dtype = torch.float32) -> Tool:
    """The forward pass of sparsify, whose encode gives the k latents of a row."""

    @torch.no_grad()
    def run(x: np.ndarray) -> Output:
        rows = torch.from_numpy(x).to(dtype)
        out = model.forward(rows)
        latents = torch.zeros(len(x), model.num_latents, dtype=dtype).scatter_(1, out.latent_indices, out.latent_acts)
        return latents.numpy(), out.sae_out.numpy()

    return run


@contextmanager
def hub(module, folder: Path) -> Iterator[None]:
    """Has a loader that asks the Hugging Face hub for REPO/NAME find a folder here instead."""
    original = module.hf_hub_download
    module.hf_hub_download = lambda repo_id, filename, **_: str(folder / Path(filename).name)
    try:
        yield
    finally:
        module.hf_hub_download = original


def saelens_of_dictionary_learning(folder: Path) -> SAE:
    """SAELens' loader of dictionary_learning's files."""

    def converter(path, device, cfg_overrides=None):
        with hub(saelens_loaders, folder):
            cfg, state, _ = saelens_loaders.dictionary_learning_sae_huggingface_loader_1("repo", "sae", device)
        return cfg, state

    return SAE.load_from_disk(folder, converter=converter)


def saebench_of_dictionary_learning(folder: Path, use_threshold: bool = False) -> nn.Module:
    """SAEBench's loader. It refuses decoder rows that are not at unit norm, and d_sae < d_in."""
    trainer = json.loads((folder / "config.json").read_text())["trainer"]
    with hub(saebench, folder):
        return saebench.load_dictionary_learning_topk_sae(
            "repo", "ae.pt", trainer["lm_name"], torch.device("cpu"), torch.float32, layer=trainer["layer"],
            use_threshold_at_inference=use_threshold,
        )


# What loads a folder of this program, by the tool that does.
LOADERS: dict[str, Callable[[Path], Tool]] = {
    "sparsify SparseCoder.load_from_disk": lambda f: sparse(SparseCoder.load_from_disk(f)),
    "SAELens SAE.load_from_disk": lambda f: dense(SAE.load_from_disk(f)),
    "dictionary_learning load_dictionary": lambda f: dense(load_dictionary(str(f), "cpu")[0]),
    "dictionary_learning AutoEncoderTopK.from_pretrained": lambda f: dense(
        AutoEncoderTopK.from_pretrained(f / "ae.pt")
    ),
    "dictionary_learning 475fece from_pretrained(path, k)": lambda f: dense(
        Reference.from_pretrained(f / "reference/ae.pt", json.loads((f / "cfg.json").read_text())["k"])
    ),
    "SAELens' loader of dictionary_learning's files": lambda f: dense(saelens_of_dictionary_learning(f)),
    "SAEBench load_dictionary_learning_topk_sae": lambda f: dense(saebench_of_dictionary_learning(f)),
}
