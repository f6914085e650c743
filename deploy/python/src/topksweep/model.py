"""A trained autoencoder as a PyTorch module."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn


class TopKAutoencoder(nn.Module):
    """A Top-K sparse autoencoder with D inputs and F latents.

        pre  = ReLU(W_enc · (x − b_dec) + b_enc)      [..., F]
        acts = the k largest of pre, else 0           [..., F]
        x̂    = acts · W_dec + b_dec                   [..., D]

    x are activations as the shards have them: the scale that training gives them is folded into the biases and the
    threshold. It may be of any dtype and is computed with in that of the weights, float32.

    Parameters (`state_dict` has these names, and those of the buffers):
        W_enc: [F, D]; row f is the encoder of latent f.
        b_enc: [F].
        W_dec: [F, D]; row f is the direction of latent f. The rows have unit norm after training.
        b_dec: [D].

    All of them require gradients, so that the module can be trained on. Nothing keeps the rows of W_dec at unit norm
    then.

    Buffers:
        k: int64, 0-d; latents kept for each x.
        threshold: float32, 0-d; what an activation must exceed with `by_threshold`. −1: none is known.

    Attributes:
        d, f: the widths D and F.
        names: where the activations come from, as far as it is known: lm_name, layer, hook_name and others.
        config: the settings that it was trained with, as in a grid; empty if they are not known.
        metrics: what was measured on held-out rows (docs/results.md); empty if it is not known.
    """

    W_enc: nn.Parameter
    b_enc: nn.Parameter
    W_dec: nn.Parameter
    b_dec: nn.Parameter
    k: Tensor
    threshold: Tensor

    def __init__(self, d: int, f: int, k: int) -> None:
        """Make a module whose parameters are all 0, for `load_state_dict`."""
        super().__init__()
        if not 1 <= k <= f or d < 1:
            raise ValueError(f"d {d}, f {f}, k {k}: want d of at least 1 and k of 1 to f")
        self.W_enc = nn.Parameter(torch.zeros(f, d))
        self.b_enc = nn.Parameter(torch.zeros(f))
        self.W_dec = nn.Parameter(torch.zeros(f, d))
        self.b_dec = nn.Parameter(torch.zeros(d))
        self.register_buffer("k", torch.tensor(k))
        self.register_buffer("threshold", torch.tensor(-1.0))
        self.d, self.f = d, f
        self.names: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}

    def encode(self, x: Tensor, *, by_threshold: bool = False) -> Tensor:
        """Return the latents of x, [..., D] to [..., F]: the k largest of each x, and 0 for the others.

        With by_threshold they are those above `threshold` instead: k on average only, but a latent does not depend on
        the others of its x.
        """
        pre = torch.relu(nn.functional.linear(x.to(self.W_enc.dtype) - self.b_dec, self.W_enc, self.b_enc))
        if by_threshold:
            if not self.threshold >= 0:
                raise ValueError("the model has no threshold: recipe upstream finds one, after threshold_start_step")
            return pre * (pre > self.threshold)
        values, latents = pre.topk(int(self.k), dim=-1, sorted=False)
        return torch.zeros_like(pre).scatter(-1, latents, values)

    def decode(self, acts: Tensor) -> Tensor:
        """Return the reconstruction x̂ from latents, [..., F] to [..., D]."""
        return acts @ self.W_dec + self.b_dec

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction x̂ of x, [..., D] to [..., D]."""
        return self.decode(self.encode(x))

    def extra_repr(self) -> str:
        return f"d={self.d}, f={self.f}, k={int(self.k)}"


def read_folder(folder: Path) -> TopKAutoencoder:
    """Read the folder of a model: sae.safetensors and cfg.json, as finished runs and `sweep export` leave them.

    result.json, which is there in a folder of a run, gives config and metrics.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the files are of another kind of model, or do not fit each other. It says which and why.
    """
    at = folder / "sae.safetensors"
    weights, cfg = load_file(at), _object(folder / "cfg.json")
    for key in ("transcode", "skip_connection"):
        if cfg.get(key):
            raise ValueError(f"{folder / 'cfg.json'}: {key} is true: the model is no autoencoder")
    if (activation := cfg.get("activation", "topk")) != "topk":
        raise ValueError(f"{folder / 'cfg.json'}: activation {activation}: want topk")
    d, f, k = (_whole(folder / "cfg.json", cfg, key) for key in ("d_in", "num_latents", "k"))
    shapes = {"encoder.weight": (f, d), "encoder.bias": (f,), "W_dec": (f, d), "b_dec": (d,)}
    for name, shape in shapes.items():
        if name not in weights:
            raise ValueError(f"{at}: no tensor {name}")
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"{at}: {name} has the shape {list(weights[name].shape)}; cfg.json wants {list(shape)}")
    sae = TopKAutoencoder(d, f, k)
    threshold = cfg.get("threshold")
    sae.load_state_dict({
        "W_enc": weights["encoder.weight"].float(), "b_enc": weights["encoder.bias"].float(),
        "W_dec": weights["W_dec"].float(), "b_dec": weights["b_dec"].float(),
        "k": torch.tensor(k), "threshold": torch.tensor(-1.0 if threshold is None else float(threshold)),
    })
    result = _object(folder / "result.json") if (folder / "result.json").exists() else {}
    sae.config, sae.metrics = result.get("config", {}), result.get("metrics", {})
    metadata = cfg.get("metadata")
    for name, of_saelens in NAMES.items():
        found = result.get(name)
        if found is None and isinstance(metadata, dict):
            found = metadata.get(of_saelens)
        if found is not None:
            sae.names[name] = found
    if sae.names.get("hook_name") == sae.names.get("module_path"):
        sae.names.pop("hook_name", None)  # cfg.json has the module as the hook where it has no other name
    return sae


NAMES = {
    "lm_name": "model_name",
    "layer": "layer",
    "submodule_name": "submodule_name",
    "hook_name": "hook_name",
    "module_path": "hf_hook_name",
    "context_length": "context_size",
    "prepend_bos": "prepend_bos",
    "drop_special": "exclude_special_tokens",
}
"""The keys of TopKAutoencoder.names, as result.json has them, and those of the section metadata of cfg.json."""


def _object(path: "os.PathLike[str]") -> dict[str, Any]:
    """Read a file that holds a JSON object."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not a JSON object")
    return value


def _whole(path: Path, cfg: dict[str, Any], key: str) -> int:
    """Return a whole number above 0 of a configuration."""
    value = cfg.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{path}: {key} is {value!r}: want a whole number of at least 1")
    return value
