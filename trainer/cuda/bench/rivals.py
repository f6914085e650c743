"""Times training steps on this machine's GPU: of the reference, as compare.py states it in
PyTorch, and of EleutherAI's sparsify with its Triton kernels.

    python3 rivals.py [D,F,K,B ...]

Prints a line for each: shape, name, tokens a second. Both may use TF32. sparsify trains
under bfloat16 autocast, as it always does. compare.py is trainer/bench/compare.py.
"""

import sys
import time

import torch

from compare import Reference

SHAPES = ["512,32768,100,2048", "768,131072,32,4096", "4096,65536,64,4096"]


class Sparsify:
    """Steps of sparsify's trainer (eai-sparsify 1.3): the same calls on its SparseCoder in the
    same order, with Adam, its learning rate and its AuxK factor."""

    def __init__(self, d, f, k, b):
        from sparsify import SparseCoder, SparseCoderConfig

        self.sae = SparseCoder(d, SparseCoderConfig(num_latents=f, k=k), device="cuda", dtype=torch.float32)
        self.adam = torch.optim.Adam(self.sae.parameters(), lr=2e-4 / (f / 2**14) ** 0.5)
        self.since_fired = torch.zeros(f, dtype=torch.long)

    def step(self, x):
        self.sae.set_decoder_norm_to_unit_norm()
        out = self.sae(x, dead_mask=self.since_fired > 10_000_000)
        fired = torch.zeros_like(self.since_fired, dtype=torch.bool)
        fired[out.latent_indices.flatten()] = True
        loss = out.fvu + out.auxk_loss / 32
        loss.backward()
        self.sae.remove_gradient_parallel_to_decoder_directions()
        self.adam.step()
        self.adam.zero_grad()
        self.since_fired += x.size(0)
        self.since_fired[fired] = 0
        return loss.item()


def tokens_per_second(make, shape, seconds=3.0):
    model, x = make(*shape), torch.randn(shape[3], shape[0])
    for _ in range(5):
        model.step(x)
    torch.cuda.synchronize()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        model.step(x)
        steps += 1
    torch.cuda.synchronize()
    return steps * shape[3] / (time.perf_counter() - start)


def main(*shapes):
    torch.set_default_device("cuda")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.manual_seed(0)
    sides = {"PyTorch": Reference}
    try:
        import sparsify  # noqa: F401

        sides["sparsify"] = Sparsify
    except ImportError:
        print("sparsify is not installed: pip install eai-sparsify", file=sys.stderr)
    for text in shapes or SHAPES:
        shape = tuple(int(n) for n in text.split(","))
        for name, make in sides.items():
            print(text, name, f"{tokens_per_second(make, shape):.0f}", flush=True)
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main(*sys.argv[1:])
