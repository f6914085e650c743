"""Versions of wheels."""

import importlib.metadata
import sys
from pathlib import Path

import pytest
from packaging.version import Version

sys.path.insert(0, str(Path(__file__).parent.parent))
from version import pep440  # noqa: E402

WANT = {
    "v0.1.0": "0.1.0",
    "v1.20.3+dirty": "1.20.3+dirty",
    "v0.1.0-rc.1": "0.1.0rc1",
    "v0.1.0-beta2": "0.1.0b2",
    "v0.0.0-20261127085118-3cf52fdd28d3": "0.0.0.dev20261127085118+g3cf52fdd28d3",
    "v0.1.1-0.20261127085118-3cf52fdd28d3+dirty": "0.1.1.dev20261127085118+g3cf52fdd28d3.dirty",
    "v0.1.0-rc.1.0.20261127085118-3cf52fdd28d3": "0.1.0rc1.post0.dev20261127085118+g3cf52fdd28d3",
    "(devel)": "0.0.0.dev0",
}


@pytest.mark.parametrize("go, want", WANT.items())
def test_pep440(go: str, want: str) -> None:
    assert pep440(go) == want
    assert str(Version(want)) == want  # it is in normal form


@pytest.mark.parametrize("go", ["", "1.2.3", "v1.2", "v1.2.3-x", "v1.2.3 ", "v1.2.3\n"])
def test_what_is_no_version(go: str) -> None:
    with pytest.raises(ValueError):
        pep440(go)


def test_order() -> None:
    """A commit comes after the tag before it, and before the next."""
    order = ["v0.1.0-rc.1", "v0.1.0-rc.1.0.20261127085118-3cf52fdd28d3", "v0.1.0",
             "v0.1.1-0.20261127085118-3cf52fdd28d3", "v0.1.1-0.20261128085118-0cf52fdd28d3", "v0.1.1"]
    versions = [Version(pep440(v)) for v in order]
    assert versions == sorted(versions)


def test_metadata() -> None:
    meta = importlib.metadata.metadata("topksweep")
    assert meta["License-Expression"] == "Apache-2.0" and meta["License-File"] == "LICENSE"
    assert meta["Requires-Python"] == ">=3.10" and "topksweep" in meta["Description"]
    wheel = importlib.metadata.distribution("topksweep").read_text("WHEEL") or ""
    assert "Root-Is-Purelib: false" in wheel and "Tag: py3-none-any" not in wheel
