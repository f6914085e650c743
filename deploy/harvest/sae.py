"""Reads trained autoencoders from the folders that sweep exports."""

import json
import os
import re

import torch
from safetensors.torch import load_file

import hooks


class SaeError(Exception):
    """A folder holds no model that can be used; the message says why."""


class Sae:
    """A Top-K autoencoder, which takes activations as the model puts them out.

    path is its folder. cell and sweep are the IDs of its result, or None. names says where its
    activations come from, with the keys of result.json: lm_name, layer, submodule_name, hook_name,
    module_path, context_length, drop_special. What is not known is missing."""

    def __init__(self, path, device):
        self.path = path
        config = read_json(path, "cfg.json") or read_json(path, "config.json") or {}
        result = read_json(path, "result.json") or {}
        self.cell, self.sweep = result.get("cell"), result.get("sweep")
        self.names = names(config) | {k: v for k, v in result.items() if k in NAMES and v is not None}
        try:
            w = weights(path, config)
            self.k = int(config.get("k") or config["trainer"]["k"])
            self.W_enc, self.b_enc, self.W_dec, self.b_dec = (t.to(device, torch.float32).contiguous() for t in w)
        except SaeError:
            raise
        except Exception as e:  # whatever a reader says of a damaged file
            raise SaeError(f"{path}: {type(e).__name__} {e}: want a folder that sweep has exported") from e
        f, d = self.W_enc.shape
        if self.W_dec.shape != (f, d) or self.b_enc.shape != (f,) or self.b_dec.shape != (d,) or not 1 <= self.k <= f:
            raise SaeError(f"{path}: shapes {[list(t.shape) for t in w]} and k {self.k} do not go together")
        self.width = d

    def __call__(self, x):
        """Returns the reconstructions of rows [n, D]."""
        pre = torch.relu((x - self.b_dec) @ self.W_enc.T + self.b_enc)
        values, latents = pre.topk(self.k, dim=-1, sorted=False)
        # The sum of rows of W_dec, weighted: acts @ W_dec without the zeros of acts.
        decoded = torch.nn.functional.embedding_bag(latents, self.W_dec, per_sample_weights=values, mode="sum")
        return decoded + self.b_dec


NAMES = ("lm_name", "layer", "submodule_name", "hook_name", "module_path", "context_length", "prepend_bos",
         "drop_special")


def names(config):
    """Returns what cfg.json or config.json says of the place of the activations, under the names of result.json."""
    meta, trainer, buffer = (config.get(k) or {} for k in ("metadata", "trainer", "buffer"))
    special = meta.get("exclude_special_tokens")  # SAELens also knows a list of tokens
    found = {
        "lm_name": meta.get("model_name") or trainer.get("lm_name"), "layer": meta.get("layer", trainer.get("layer")),
        "submodule_name": meta.get("submodule_name") or trainer.get("submodule_name"),
        "hook_name": meta.get("hook_name"), "module_path": meta.get("hf_hook_name"),
        "context_length": meta.get("context_size") or buffer.get("ctx_len"), "prepend_bos": meta.get("prepend_bos"),
        "drop_special": special if isinstance(special, bool) else None,
    } | {k: v for k, v in (config.get("sweep") or {}).items() if k in NAMES}
    return {k: v for k, v in found.items() if v is not None and v != ""}


def weights(path, config):
    """Returns W_enc [F, D], b_enc [F], W_dec [F, D] and b_dec [D]."""
    def there(name):
        return os.path.isfile(os.path.join(path, name))
    if there("sae.safetensors"):
        t = load_file(os.path.join(path, "sae.safetensors"))
        return t["encoder.weight"], t["encoder.bias"], t["W_dec"], t["b_dec"]
    if there("sae_weights.safetensors"):
        for key, want in (("architecture", "topk"), ("normalize_activations", "none"), ("apply_b_dec_to_input", True),
                          ("rescale_acts_by_decoder_norm", False)):
            if config.get(key, want) != want:
                raise SaeError(f"{path}: {key} is {config[key]!r}, not {want!r}: sweep import makes a folder that "
                               "can be used here, if it knows the kind")
        t = load_file(os.path.join(path, "sae_weights.safetensors"))
        return t["W_enc"].T, t["b_enc"], t["W_dec"], t["b_dec"]
    if there("ae.pt"):
        t = torch.load(os.path.join(path, "ae.pt"), map_location="cpu", weights_only=True)
        return t["encoder.weight"], t["encoder.bias"], t["decoder.weight"].T, t["b_dec"]
    below = sorted(name for name in (os.listdir(path) if os.path.isdir(path) else ())
                   if any(os.path.isfile(os.path.join(path, name, c)) for c in ("cfg.json", "config.json")))
    raise SaeError(f"{path}: is no folder of an exported model: it holds no sae.safetensors, sae_weights.safetensors "
                   "or ae.pt" + (f"; name those below it, as {os.path.join(path, below[0])}" if below else ""))


def read_json(path, name):
    """Returns the object in a JSON file of a folder, or None if there is no such file."""
    try:
        with open(os.path.join(path, name), encoding="utf-8") as f:
            out = json.load(f)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as e:
        raise SaeError(f"{os.path.join(path, name)}: {e}") from e
    if not isinstance(out, dict):
        raise SaeError(f"{os.path.join(path, name)}: holds no JSON object")
    return out


def place(model, sae, layer=None, hook=None, module=None):
    """Returns the full path of the module that an autoencoder's activations come from: the one that is given, else
    what its folder names."""
    n = sae.names
    if module is not None:
        return hooks.resolve(model, module)
    if layer is not None:
        return hooks.find(model, layer, hook or "resid_post")
    if "module_path" in n:
        return hooks.resolve(model, n["module_path"])
    if "layer" in n and n.get("submodule_name") in hooks.PATHS:
        return hooks.find(model, n["layer"], n["submodule_name"])
    if "hook_name" in n:
        found = re.fullmatch(r"blocks\.(\d+)\.hook_(resid_post|mlp_out|attn_out)", n["hook_name"])
        if found:
            return hooks.find(model, int(found[1]), found[2])
        return hooks.resolve(model, n["hook_name"])
    raise SaeError(f"{sae.path}: does not say where its activations come from: give --module, --layer and --hook, or "
                   "--harvest with the folder of the activations")
