"""The program: found, run, interrupted, and its errors."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import topksweep

SWEEP = Path(sys.executable).parent / "sweep"  # what pip has put on the PATH


def test_command_is_the_program() -> None:
    out = subprocess.run([SWEEP, "version"], capture_output=True, text=True, check=True).stdout
    assert out.startswith("sweep ") and out.strip() == topksweep.version()
    module = subprocess.run([sys.executable, "-m", "topksweep", "version"], capture_output=True, text=True, check=True)
    assert module.stdout == out


def test_command_runs_a_grid(trained: str, grid: Path) -> None:
    """A second run of a grid trains nothing and prints the table."""
    done = subprocess.run([SWEEP, "run", grid, "--no-ui", "--dir", trained], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("completed") == 4


@pytest.mark.parametrize("args, status", [([], 0), (["no-such-verb"], 2), (["results", "no-such-sweep"], 2)])
def test_command_keeps_the_exit_status(args: list[str], status: int) -> None:
    assert subprocess.run([SWEEP, *args], capture_output=True).returncode == status


@pytest.mark.parametrize("status", [0, 1, 2, 130])
def test_command_keeps_any_exit_status(program: Path, status: int) -> None:
    program.write_text(f"#!/bin/sh\nexit {status}\n")
    assert subprocess.run([SWEEP]).returncode == status


def test_command_is_replaced(program: Path) -> None:
    """Signals reach the program itself: it has the process ID of the command."""
    program.write_text("#!/bin/sh\necho $$\nkill -TERM $$\n")
    command = subprocess.Popen([SWEEP], stdout=subprocess.PIPE)
    out, _ = command.communicate()
    assert int(out) == command.pid and command.returncode == -signal.SIGTERM


def test_command_that_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPKSWEEP_BINARY", str(SWEEP))
    done = subprocess.run([SWEEP, "version"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout.strip() == topksweep.version()


def test_import_is_light() -> None:
    """Neither pandas nor PyTorch is imported before it is needed."""
    code = "import sys, topksweep; print([m for m in ('pandas', 'torch', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_errors(trained: str, tmp_path: Path) -> None:
    with pytest.raises(topksweep.SweepError, match="no-such-sweep") as caught:
        topksweep.results("no-such-sweep", dir=trained)
    assert caught.value.status == 2 and "no-such-sweep" in caught.value.stderr
    assert caught.value.command[1] == "results"
    with pytest.raises(topksweep.SweepError, match="did you mean nmse"):
        topksweep.results("tiny", dir=trained, where="nmsee<1")
    with pytest.raises(topksweep.SweepError):
        topksweep.results([], dir=trained)
    bad = tmp_path / "grid.yaml"
    bad.write_text("name: a\ndata: {source: acts}\ntrain: {stesp: 3}\n")
    with pytest.raises(topksweep.SweepError, match="did you mean steps") as caught:
        topksweep.run(bad, dir=tmp_path, progress=False)
    assert caught.value.status == 2 and str(caught.value) == caught.value.stderr.strip()


def test_error_without_a_word(program: Path) -> None:
    program.write_text("#!/bin/sh\nexit 7\n")
    with pytest.raises(topksweep.SweepError, match="exit status 7") as caught:
        topksweep.results("tiny")
    assert caught.value.status == 7
    program.write_text("#!/bin/sh\nkill -KILL $$\n")
    with pytest.raises(topksweep.SweepError) as caught:
        topksweep.results("tiny")
    assert caught.value.status == -signal.SIGKILL


def test_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOPKSWEEP_BINARY", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="TOPKSWEEP_BINARY names it"):
        topksweep.binary()
    done = subprocess.run([SWEEP, "version"], capture_output=True, text=True)
    assert done.returncode == 1 and "there is no such program" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "none").write_text("")
    with pytest.raises(FileNotFoundError, match="may not be run"):
        topksweep.binary()


def test_progress_is_shown(grid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    topksweep.run(grid, dir=tmp_path)
    assert "4 of 4 runs done" in capsys.readouterr().err
    topksweep.run(grid, dir=tmp_path, progress=False)
    assert capsys.readouterr().err == ""


def test_much_output_on_both(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pipes that are full stop neither side; a letter that is split between two reads is one letter."""
    program.write_text(f"#!{sys.executable}\n" + """import sys
for i in range(40):
    sys.stdout.buffer.write(b'x' * 10000); sys.stderr.buffer.write('\u4e2d'.encode() * 3333 + b'y' * (i % 3))
""")
    from topksweep._binary import call
    assert len(call([], notes="show")) == 400_000
    assert capsys.readouterr().err.count("\u4e2d") == 40 * 3333


def test_interrupt_is_passed_on(program: Path) -> None:
    """The program gets one signal and ends by itself; then there is a KeyboardInterrupt."""
    program.write_text("""#!/bin/sh
trap 'echo saved >&2; exit 130' INT
kill -INT $PPID
while :; do sleep 0.05; done
""")
    with pytest.raises(KeyboardInterrupt, match="saved"):
        topksweep.results("tiny")


def test_interrupt_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real run of hours is interrupted as soon as it trains, once, and saves."""
    grid = tmp_path / "grid.yaml"
    grid.write_text("""name: long
data: {synthetic: {activation_dim: 16, directions: 32, tokens: 4000, active: 3}}
train: {dict_size: 32, k: 2, steps: 100_000_000, batch_size: 64, lr: 0.001}
""")
    main = threading.get_ident()

    class Interrupt:
        """A sys.stderr that interrupts the test when the program says that it trains."""

        done = False

        def write(self, text: str) -> int:
            if "training long" in text and not self.done:
                self.done = True
                signal.pthread_kill(main, signal.SIGINT)
            return len(text)

        def flush(self) -> None:
            pass

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Interrupt())
        with pytest.raises(KeyboardInterrupt, match="the same command goes on from here"):
            topksweep.run(grid, dir=tmp_path / "state")
    listed = topksweep.sweeps(dir=tmp_path / "state")
    assert list(listed["state"]) == ["idle"] and list(listed["completed"]) == [0]
    assert any((tmp_path / "state/store/stages").rglob("*.json"))  # the manifest of a checkpoint
