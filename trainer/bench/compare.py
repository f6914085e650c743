"""Times a training step of the reference, written in PyTorch, and one of sweep's CPU
backend on this machine, and prints the ratios.

    python3 -m venv /tmp/bench && /tmp/bench/bin/pip install -r trainer/bench/requirements.txt
    /tmp/bench/bin/python trainer/bench/compare.py [--threads 2] [--rounds 3] [--shapes 512,8192,32,1024 …]

Both run with the same number of threads, in float32, on the same shapes. A round
times first the one, then the other, and takes the fastest step of each, so that other
work on the machine counts for neither. The ratio is the median of the rounds' ratios.
On a machine with much other work, --clock cpu --threads 1 compares the processor time
of a step instead (Linux).

The floor is the least time of a step with a float32 product, from rates that sweep
measures in the same run (Roofline.StepSeconds in package trainer). A step can take less: see
trainer/cpu/PERFORMANCE.md.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch

ROOT = Path(__file__).resolve().parents[2]
# D, F, K, B and the target ratio.
SHAPES = {
    (512, 8192, 32, 1024): 10,
    (512, 32768, 100, 1024): 10,
    (384, 3072, 32, 512): 6,
    (768, 16384, 64, 1024): 10,
}


class Reference:
    """TrainerTopK of dictionary_learning at 475fece, as its update() computes a step: all
    products are dense, and the decoder's weights are [D, F]."""

    def __init__(self, d, f, k, b):
        self.k, self.threshold, self.alpha = k, 10_000_000, 1 / 32
        encoder = torch.nn.Linear(d, f)
        torch.nn.init.zeros_(encoder.bias)
        self.w_enc, self.b_enc = encoder.weight, encoder.bias
        self.w_dec = torch.nn.Parameter(encoder.weight.detach().T.clone())
        self.b_dec = torch.nn.Parameter(torch.zeros(d))
        self.params = [self.w_enc, self.b_enc, self.w_dec, self.b_dec]
        self.adam = torch.optim.Adam(self.params, lr=2e-4 / (f / 2**14) ** 0.5, betas=(0.9, 0.999))
        self.since_fired = torch.zeros(f, dtype=torch.long)

    def unit_norm(self):
        with torch.no_grad():
            self.w_dec /= self.w_dec.norm(dim=0, keepdim=True) + torch.finfo(torch.float32).eps

    def step(self, x):
        self.unit_norm()
        acts = torch.relu(torch.nn.functional.linear(x - self.b_dec, self.w_enc, self.b_enc))
        top, index = acts.topk(self.k, sorted=False, dim=-1)
        kept = torch.zeros_like(acts).scatter_(-1, index, top)
        error = torch.nn.functional.linear(kept, self.w_dec) + self.b_dec - x
        _variance = (x - x.mean(0)).pow(2).sum(0)  # the original computes it in each step
        fired = torch.zeros_like(self.since_fired, dtype=torch.bool)
        fired[index.flatten()] = True
        self.since_fired += x.size(0)
        self.since_fired[fired] = 0
        if int((self.since_fired > self.threshold).sum()) > 0:
            raise RuntimeError("the benchmark must not have dead latents")
        loss = error.pow(2).sum(-1).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.params, 1.0)
        with torch.no_grad():
            grad = self.w_dec.grad
            along = torch.einsum("df,df->f", grad, self.w_dec)
            grad -= torch.einsum("f,df->df", along, self.w_dec)
        self.adam.step()
        self.adam.zero_grad()
        return loss.item()


def time_reference(shape, budget, clock):
    """Returns the fastest step within budget seconds, in seconds of clock."""
    torch.manual_seed(0)
    d, _, _, b = shape
    model, x = Reference(*shape), torch.randn(b, d)
    model.step(x)
    best, end = float("inf"), time.monotonic() + budget
    while time.monotonic() < end or best == float("inf"):
        start = clock()
        model.step(x)
        best = min(best, clock() - start)
    return best


def time_sweep(shape, budget, threads, binary, metric):
    """Returns the fastest step within budget seconds, and the floor, in seconds. metric
    names the figure of BenchmarkStep that is the step's time."""
    d, f, k, b = shape
    name = f"Step/D={d}$/F={f}$/K={k}$/B={b}$/dead=0$"
    env = dict(os.environ, GOMAXPROCS=str(threads))
    out = subprocess.run(
        [binary, "-test.run=^$", f"-test.bench={name}", f"-test.benchtime={budget}s"],
        env=env, check=True, capture_output=True, text=True,
    ).stdout
    step = re.search(rf"([\d.]+) {metric}", out)
    floor = re.search(r"\s([\d.]+) floor-ms", out)
    if not step or not floor:
        sys.exit(f"no result for {shape} in:\n{out}")
    return float(step[1]) / 1e3, float(floor[1]) / 1e3


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    args.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--seconds", type=float, default=3, help="of each program in each round")
    args.add_argument("--shapes", nargs="*", help="D,F,K,B", default=[",".join(map(str, s)) for s in SHAPES])
    args.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    args = args.parse_args()
    torch.set_num_threads(args.threads)
    clock, metric = {"wall": (time.perf_counter, "fastest-ms"), "cpu": (time.process_time, "cpu-ms")}[args.clock]
    binary = Path(os.environ.get("TMPDIR", "/tmp")) / f"sweep-bench-{os.getpid()}.test"
    subprocess.run(["go", "test", "-c", "-o", binary, "./trainer/cpu"], cwd=ROOT, check=True)
    print(f"PyTorch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), {args.threads} threads, float32, "
          f"{args.clock} time, {args.rounds} rounds\n")
    print("| D, F, K, B | PyTorch ms | sweep ms | ratio | least, most | target | floor ms | × floor |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    try:
        for text in args.shapes:
            shape = tuple(int(n) for n in text.split(","))
            reference, sweep, floors = [], [], []
            for _ in range(args.rounds):
                reference.append(time_reference(shape, args.seconds, clock))
                step, floor = time_sweep(shape, args.seconds, args.threads, binary, metric)
                sweep.append(step)
                floors.append(floor)
            ratios = [r / s for r, s in zip(reference, sweep)]
            target = SHAPES.get(shape)
            print(f"| {', '.join(map(str, shape))} | {median(reference) * 1e3:.1f} | {median(sweep) * 1e3:.1f} | "
                  f"{median(ratios):.1f}× | {min(ratios):.1f}, {max(ratios):.1f} | "
                  f"{f'≥ {target}×' if target else ''} | {min(floors) * 1e3:.1f} | "
                  f"{median(sweep) / min(floors):.2f} |", flush=True)
    finally:
        binary.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
