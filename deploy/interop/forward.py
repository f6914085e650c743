"""The forward pass that all tools are held to, in float64, and how far apart two outputs are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import json
import numpy as np
from safetensors.numpy import load_file

Output = tuple[np.ndarray, np.ndarray]  # latents [n, F] and reconstructions [n, D]


@dataclass
class Model:
    """A Top-K autoencoder: latents = the k largest of ReLU((x - b_dec) W_encᵀ + b_enc), x̂ = latents W_dec + b_dec"""

    W_enc: np.ndarray  # [F, D]
    b_enc: np.ndarray
    W_dec: np.ndarray  # [F, D]
    b_dec: np.ndarray
    k: int
    threshold: float | None = None

    @staticmethod
    def read(folder: Path) -> Model:
        """Reads sae.safetensors and cfg.json, as the program exports them."""
        w = {name: v.astype(np.float64) for name, v in load_file(folder / "sae.safetensors").items()}
        cfg = json.loads((folder / "cfg.json").read_text())
        return Model(w["encoder.weight"], w["encoder.bias"], w["W_dec"], w["b_dec"], cfg["k"], cfg["threshold"])

    def activations(self, x: np.ndarray) -> np.ndarray:
        return np.maximum((x.astype(np.float64) - self.b_dec) @ self.W_enc.T + self.b_enc, 0)

    def __call__(self, x: np.ndarray, use_threshold: bool = False) -> Output:
        pre = self.activations(x)
        if use_threshold:
            acts = pre * (pre > self.threshold)
        else:
            top = np.argsort(-pre, axis=1, kind="stable")[:, : self.k]
            acts = np.zeros_like(pre)
            np.put_along_axis(acts, top, np.take_along_axis(pre, top, 1), 1)
        return acts, acts @ self.W_dec + self.b_dec

    def clear(self, x: np.ndarray, gap: float = 2e-6) -> np.ndarray:
        """The rows whose k-th activation is more than gap (relative) above the next: float32 keeps the same latents."""
        largest = -np.sort(-self.activations(x), axis=1)[:, : self.k + 1]
        if largest.shape[1] == self.k:
            return np.ones(len(x), bool)
        return (largest[:, -2] - largest[:, -1] > gap * largest[:, -2]) | (largest[:, -2] == 0)


def apart(got: np.ndarray, want: np.ndarray) -> float:
    """The largest relative distance of two rows: ‖got − want‖ ÷ ‖want‖."""
    assert got.shape == want.shape, f"shapes {got.shape} and {want.shape}"
    got, want = got.astype(np.float64), want.astype(np.float64)
    size = np.linalg.norm(want, axis=1)
    off = np.linalg.norm(got - want, axis=1)
    return float(np.max(np.where(off == 0, 0, off / np.where(size == 0, np.finfo(float).tiny, size))))


def outputs_apart(got: Output, want: Output) -> float:
    return max(apart(got[0], want[0]), apart(got[1], want[1]))
