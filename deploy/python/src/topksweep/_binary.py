"""Finds the program and runs it."""

import codecs
import contextlib
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import IO, Any, Literal, Union

VARIABLE = "TOPKSWEEP_BINARY"
"""The environment variable that names another program than the one in this package."""

StrPath = Union[str, "os.PathLike[str]"]


class SweepError(Exception):
    """The program has failed.

    Attributes:
        status: its exit status. 1 is an error, or runs failed; 2 wrong input, and nothing was started; negative the
            signal that ended the program.
        stderr: what it has written to its standard error, whole.
        command: the program and its arguments.
    """

    def __init__(self, status: int, stderr: str, command: Sequence[str]) -> None:
        super().__init__(status, stderr, command)
        self.status = status
        self.stderr = stderr
        self.command = list(command)

    def __str__(self) -> str:
        return self.stderr.strip() or f"{' '.join(self.command)}: exit status {self.status}"


class SweepWarning(UserWarning):
    """A note of the program about what it has returned, such as a curve that is damaged and left out."""


def binary() -> str:
    """Return the path of the program `sweep`: that of this package, or that which TOPKSWEEP_BINARY names.

    The variable is for a program of your own, such as one with the CUDA backend (`make cuda` builds it).

    Raises:
        FileNotFoundError: there is none, or nobody may run it.
    """
    named = os.environ.get(VARIABLE)
    path = named or os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "sweep")
    if not os.path.isfile(path):
        hint = f"{VARIABLE} names it" if named else "install topksweep from its wheel"
        raise FileNotFoundError(f"{path}: there is no such program; {hint}")
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path}: the file may not be run; chmod +x makes a program of it")
    return os.path.abspath(path)


def version() -> str:
    """Return what `sweep version` prints: the version of the program, and the commit that it was built from."""
    return call(["version"]).decode().strip()


def places(dir: StrPath | None, store: StrPath | None) -> list[str]:
    """Return the flags for the folder and the store of a call."""
    flags = []
    if dir is not None:
        flags.append("--dir=" + os.path.expanduser(os.fspath(dir)))
    if store is not None:
        url = os.fspath(store)
        flags.append("--store=" + (url if "://" in url else os.path.expanduser(url)))
    return flags


def call(args: Sequence[str], *, notes: Literal["warn", "show", "drop"] = "warn") -> bytes:
    """Run the program and return what it has written to its standard output.

    notes says what becomes of what it writes to its standard error although it succeeds: a SweepWarning; shown on
    sys.stderr at once, as progress is; or nothing.

    An interrupt (Ctrl-C, or a notebook's button) is passed on to the program, which saves what it trains. When it has
    ended, KeyboardInterrupt is raised. A second interrupt ends the program at once.

    Raises:
        SweepError: the exit status is not 0.
        FileNotFoundError: there is no program.
    """
    command = [binary(), *args]
    env = {k: v for k, v in os.environ.items() if k != VARIABLE}
    out, err = bytearray(), bytearray()
    with _Interrupts() as interrupts:
        # In a session of its own the program does not get a terminal's Ctrl-C beside the signal that is passed on. Of
        # two signals it would end at once, without saving.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
            start_new_session=True,
        )
        interrupts.pass_on_to(process)
        readers = [
            _reader(process.stdout, [out.extend]),
            _reader(process.stderr, [err.extend, _show()] if notes == "show" else [err.extend]),
        ]
        try:
            for thread in readers:
                thread.join()
            process.wait()
        except BaseException:  # from a handler of another signal
            process.kill()
            process.wait()
            raise
    text = err.decode(errors="replace")
    if interrupts.received:
        raise KeyboardInterrupt(text.strip())
    if process.returncode != 0:
        raise SweepError(process.returncode, text, command)
    if text.strip() and notes == "warn":
        note = "\n".join(line.removeprefix("note: ") for line in text.strip().splitlines())
        warnings.warn(note, SweepWarning, stacklevel=_depth())
    return bytes(out)


def _depth() -> int:
    """Return the stacklevel, seen from the function that calls this, of the line that calls this package."""
    depth, frame = 0, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        depth, frame = depth + 1, frame.f_back
    return depth + 1


def _reader(pipe: IO[bytes] | None, takers: Sequence[Callable[[bytes], None]]) -> threading.Thread:
    """Start a thread that gives all that a pipe has to each taker."""
    assert pipe is not None

    def read() -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 1 << 16):
                for take in takers:
                    take(chunk)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _show() -> Callable[[bytes], None]:
    """Return a function that shows text on sys.stderr, which may be a notebook's and no file."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def show(chunk: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more: the program goes on
            sys.stderr.write(decoder.decode(chunk))
            sys.stderr.flush()

    return show


class _Interrupts:
    """Passes interrupts on to a program, in the place of a KeyboardInterrupt at any moment.

    Only the main thread receives interrupts, and only there a handler can be set: in others this does nothing. It does
    nothing either where interrupts are ignored, or handled by something other than Python.
    """

    def __init__(self) -> None:
        self.received = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._before: Any = None

    def __enter__(self) -> "_Interrupts":
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(before):
            self._before = signal.signal(signal.SIGINT, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def pass_on_to(self, process: "subprocess.Popen[bytes]") -> None:
        """Pass on the interrupts from now on, and those that came while the program was started."""
        self._process = process
        if self.received:
            process.send_signal(signal.SIGINT)

    def _receive(self, *_: object) -> None:
        self.received += 1
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
