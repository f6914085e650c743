"""The examples of the documents run, on a small sweep of the name and the axes that they have."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import topksweep

HERE = Path(__file__).parent.parent
DOCUMENTS = [HERE / "README.md", HERE.parents[1] / "docs/python.md", Path(topksweep.__file__)]

GRID = """name: first-sweep
data: {synthetic: {activation_dim: 16, directions: 32, tokens: 4000, active: 3}}
parameters: {k: [8, 32], dict_size: [64, 128], auxk_alpha: [0, 0.03125], decay_start: [0.5, 0.8]}
train: {steps: 60, batch_size: 64, lr: 0.002}
"""


def examples(document: Path) -> str:
    """Return the Python of a document as one program."""
    text = document.read_text()
    if document.suffix == ".py":
        doc = topksweep.__doc__ or ""
        return "import torch\n" + "\n".join(line[4:] for line in doc.splitlines() if line.startswith("    ")).replace(
            "encode(x)", "encode(torch.zeros(2, sae.d))")
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


@pytest.fixture(scope="module")
def first_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the grid, and the state directory in which it has run."""
    folder = tmp_path_factory.mktemp("first-sweep")
    (folder / "grid.yaml").write_text(GRID)
    assert len(topksweep.run(folder / "grid.yaml", dir=folder / "state", progress=False)) == 16
    return folder


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_examples(document: Path, first_sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(first_sweep)
    monkeypatch.setenv("SWEEP_DIR", str(first_sweep / "state"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    program = examples(document)
    assert program.count("topksweep.") >= 3
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:  # all but what needs it
        lines = program.splitlines()
        program = "\n".join(line for line in lines if not re.search(r"torch|sae|acts|latents", line))
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
