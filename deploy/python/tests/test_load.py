"""Models as PyTorch modules. These tests are skipped where there is no PyTorch; test.sh says so."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

import topksweep

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from safetensors.numpy import load_file, save_file  # noqa: E402

from topksweep.model import TopKAutoencoder  # noqa: E402

REAL = Path(__file__).parents[3] / "trainer/data/testdata/minilm-l3"


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The state directory of models of each recipe on real activations, with a scale and without."""
    folder = tmp_path_factory.mktemp("real")
    for scale in ("none", "mean_square"):
        (folder / "grid.yaml").write_text(f"""name: real-{scale.replace("_", "-")}
data: {{source: {REAL}, normalize: {scale}, eval_tokens: 500}}
parameters: {{recipe: [corrected, reference, upstream]}}
train: {{k: 8, dict_size: 256, steps: 60, batch_size: 128, lr: 0.002, threshold_start_step: 10}}
""")
        topksweep.run(folder / "grid.yaml", dir=folder, progress=False)
    return str(folder)


def rows() -> npt.NDArray[np.float32]:
    x: npt.NDArray[np.float32] = load_file(REAL / "activations-00000.safetensors")["activations"].astype(np.float32)
    return x


def reference(folder: Path, x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The forward pass in float64, from the files: latents and reconstruction."""
    w = {name: t.astype(np.float64) for name, t in load_file(folder / "sae.safetensors").items()}
    k = json.loads((folder / "cfg.json").read_text())["k"]
    pre = np.maximum((x - w["b_dec"]) @ w["encoder.weight"].T + w["encoder.bias"], 0)
    least = np.sort(pre, axis=-1)[:, -k, None]
    acts = np.where((pre >= least) & (pre > 0), pre, 0)
    return acts, acts @ w["W_dec"] + w["b_dec"]


@pytest.mark.parametrize("scale", ["none", "mean-square"])
def test_forward_pass(real: str, scale: str) -> None:
    """Latents and reconstructions agree with the forward pass in float64 to 1e-5 of their size."""
    x = rows()
    for _, run in topksweep.results(f"real-{scale}", dir=real).iterrows():
        sae = topksweep.load(run["run"], dir=real)
        folder = Path(real) / "store" / run["model_path"]
        acts, x_hat = reference(folder, x.astype(np.float64))
        with torch.no_grad():
            got_acts, got = sae.encode(torch.tensor(x)), sae(torch.tensor(x))
        assert got.dtype == got_acts.dtype == torch.float32
        for have, want in ((got_acts.numpy(), acts), (got.numpy(), x_hat)):
            error = np.linalg.norm(have - want, axis=-1) / np.linalg.norm(want, axis=-1)
            assert (error <= 1e-5).all(), (run["recipe"], error.max())
        assert ((got_acts > 0).sum(-1) <= 8).all()
        # The module is as good as the results say: these rows were trained on, but most of them once.
        nmse = ((x - got.numpy()) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
        assert abs(nmse / run["nmse"] - 1) <= 0.1


def test_shapes_and_dtypes(real: str) -> None:
    sae = topksweep.load(topksweep.results("real-none", dir=real)["cell"][0][:8], dir=real)
    assert (sae.d, sae.f, int(sae.k)) == (384, 256, 8)
    for shape in ((384,), (2, 384), (2, 3, 384), (0, 384)):
        x = torch.randn(*shape)
        assert sae.encode(x).shape == (*shape[:-1], 256) and sae(x).shape == shape
        torch.testing.assert_close(sae.decode(sae.encode(x)), sae(x))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert sae(torch.randn(2, 384, dtype=dtype)).dtype == torch.float32
    assert repr(sae).startswith("TopKAutoencoder(d=384, f=256, k=8")


def test_threshold(real: str) -> None:
    runs = topksweep.results("real-mean-square", dir=real)
    run = runs[runs["recipe"] == "upstream"].iloc[0]
    sae = topksweep.load(run["run"], dir=real)
    assert float(sae.threshold) == pytest.approx(run["threshold"], rel=1e-6)
    x = torch.tensor(rows()[:200])
    pre = torch.relu((x - sae.b_dec) @ sae.W_enc.T + sae.b_enc)
    acts = sae.encode(x, by_threshold=True)
    torch.testing.assert_close(acts, torch.where(pre > run["threshold"], pre, 0))
    assert 1 <= (acts > 0).sum(-1).float().mean() <= 64  # about k
    without = topksweep.load(runs["run"][0], dir=real)
    assert float(without.threshold) == -1
    with pytest.raises(ValueError, match="no threshold"):
        without.encode(x, by_threshold=True)


def test_what_is_known_of_it(trained: str) -> None:
    run = topksweep.results("tiny", dir=trained).iloc[3]
    sae = topksweep.load(run["run"], dir=trained)
    assert sae.names == {"lm_name": "none-at-all", "layer": 3}
    assert sae.config["k"] == 4 and sae.config["seed"] == 1 and sae.config["decay_start"] == 20
    assert sae.metrics["nmse"] == run["nmse"]
    assert list(sae.state_dict()) == ["W_enc", "b_enc", "W_dec", "b_dec", "k", "threshold"]
    norms = sae.W_dec.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=2e-6)
    again = TopKAutoencoder(16, 32, 1)
    again.load_state_dict(sae.state_dict())
    x = torch.randn(5, 16)
    assert torch.equal(again(x), sae(x)) and int(again.k) == 4


def test_trains_on(trained: str) -> None:
    """Gradients reach all parameters, and steps of Adam make the loss smaller."""
    sae = topksweep.load(topksweep.results("tiny", dir=trained)["run"][3], dir=trained)
    torch.manual_seed(0)
    x = torch.randn(256, 16)
    optimizer = torch.optim.Adam(sae.parameters(), lr=1e-3)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = (sae(x) - x).pow(2).sum(-1).mean()
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in sae.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]


def test_ways_to_name_it(trained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = topksweep.results("tiny", dir=trained)["run"][0]
    want = topksweep.load(run, dir=trained).state_dict()

    def check(sae: TopKAutoencoder) -> None:
        for name, tensor in sae.state_dict().items():
            assert torch.equal(tensor, want[name]), name

    stored = Path(trained) / "store/models" / run
    check(topksweep.load(stored))
    check(topksweep.load(str(stored)))
    check(topksweep.load(stored / "sae.safetensors"))
    check(topksweep.load(run[:10], store=Path(trained) / "store"))
    check(topksweep.load(run[:10], sweep="tiny", dir=trained))
    check(topksweep.load(run, dir=trained, device="cpu"))
    monkeypatch.setenv("SWEEP_DIR", trained)
    check(topksweep.load(run))
    shutil.copytree(stored, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    check(topksweep.load("model"))


def test_errors(trained: str, tmp_path: Path) -> None:
    with pytest.raises(topksweep.SweepError, match="0123456789"):
        topksweep.load("0123456789", dir=trained)
    with pytest.raises(FileNotFoundError, match="no/such/folder"):
        topksweep.load("no/such/folder", dir=trained)
    with pytest.raises(FileNotFoundError, match="none"):
        topksweep.load(tmp_path / "none")
    with pytest.raises(topksweep.SweepError, match="tinny"):
        topksweep.load("0123456789", sweep="tinny", dir=trained)
    with pytest.raises(ValueError, match="4 models: want one"):
        topksweep.load("tiny", dir=trained)
    state = tmp_path / "state"
    shutil.copytree(trained, state)
    run = topksweep.results("tiny", dir=state)["run"][0]
    weights = state / "store/models" / run / "sae.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(topksweep.SweepError) as caught:
        topksweep.load(run, dir=state)
    assert caught.value.status == 1 and run in str(caught.value)


@pytest.mark.parametrize("change, want", [
    ({"k": None}, "k is None: want a whole number"),
    ({"k": 33}, "want d of at least 1 and k of 1 to f"),
    ({"k": True}, "k is True"),
    ({"d_in": 17}, r"encoder.weight has the shape \[32, 16\]; cfg.json wants \[32, 17\]"),
    ({"transcode": True}, "transcode is true"),
    ({"skip_connection": True}, "skip_connection is true"),
    ({"activation": "groupmax"}, "activation groupmax: want topk"),
])
def test_folders_of_another_kind(trained: str, tmp_path: Path, change: dict[str, object], want: str) -> None:
    run = topksweep.results("tiny", dir=trained)["run"][0]
    folder = tmp_path / "model"
    shutil.copytree(Path(trained) / "store/models" / run, folder)
    cfg = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps(cfg | change))
    with pytest.raises(ValueError, match=want):
        topksweep.load(folder)


def test_damaged_folders(trained: str, tmp_path: Path) -> None:
    run = topksweep.results("tiny", dir=trained)["run"][0]
    folder = tmp_path / "model"
    shutil.copytree(Path(trained) / "store/models" / run, folder)
    weights = load_file(folder / "sae.safetensors")
    save_file({k: v for k, v in weights.items() if k != "b_dec"}, folder / "sae.safetensors")
    with pytest.raises(ValueError, match="no tensor b_dec"):
        topksweep.load(folder)
    for text in ("", "[]", "{"):
        (folder / "cfg.json").write_text(text)
        with pytest.raises(ValueError, match="cfg.json"):
            topksweep.load(folder)


@pytest.mark.parametrize("tool", ["saelens", "dictionary_learning"])
def test_other_tools_files(trained: str, tmp_path: Path, tool: str) -> None:
    run = topksweep.results("tiny", dir=trained)["run"][3]
    subprocess.run([topksweep.binary(), "export", run, "--dir", trained, "--to", tool, "--name", "model",
                    "--out", tmp_path], check=True, capture_output=True)
    assert not (tmp_path / "model/sae.safetensors").exists()
    sae, want = topksweep.load(tmp_path / "model"), topksweep.load(run, dir=trained)
    x = torch.randn(9, 16)
    torch.testing.assert_close(sae(x), want(x))
    assert sae.names["layer"] == 3


def test_names_of_sparsify(tmp_path: Path) -> None:
    # sparsify names a hook by its module, and so does cfg.json of what sweep import makes of it.
    folder = tmp_path / "encoder.layer.3"
    folder.mkdir()
    (folder / "cfg.json").write_text('{"d_in": 2, "num_latents": 3, "k": 1}')
    shapes = {"encoder.weight": (3, 2), "encoder.bias": (3,), "W_dec": (3, 2), "b_dec": (2,)}
    save_file({name: np.ones(shape, np.float32) for name, shape in shapes.items()}, folder / "sae.safetensors")
    assert topksweep.load(tmp_path).names == {"module_path": "encoder.layer.3"}


def test_no_torch(trained: str) -> None:
    code = f"""import sys
sys.modules["torch"] = None
import topksweep
try:
    topksweep.load("x", dir={trained!r})
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install torch safetensors" in done.stdout, done.stderr
