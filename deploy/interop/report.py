"""What `make interop` prints: one line a check, with its figure and its tolerance."""

from __future__ import annotations

import contextlib
import io
import traceback
from collections.abc import Callable


class Report:
    """Checks that were made. A check that raises an error has failed; so has one that was to be made and was not."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.made = self.failed = self.expected = 0

    def section(self, title: str, *notes: str) -> None:
        self._print("")
        self._print(title)
        for note in notes:
            self._print(f"  {note}")

    def expect(self, n: int) -> None:
        """Says that n more checks are to be made."""
        self.expected += n

    def check(self, what: str, figure: Callable[[], float], tolerance: float, unit: str = "relative") -> None:
        """figure returns how far two things are apart; NaN is too far."""
        self.made += 1
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                value = float(figure())
        except Exception as error:  # noqa: BLE001: a line of the report says it
            self._verdict(what, f"{type(error).__name__}: {error}".splitlines()[0], False)
            traceback.print_exc()
            return
        self._verdict(what, f"{value:.1e}, at most {tolerance:.0e} {unit}", value <= tolerance)

    def holds(self, what: str, fact: Callable[[], str]) -> None:
        """fact returns what it found, or raises an AssertionError."""
        self.made += 1
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                found = fact()
        except Exception as error:  # noqa: BLE001
            self._verdict(what, f"{type(error).__name__}: {error}", False)
            traceback.print_exc()
            return
        self._verdict(what, found, True)

    def close(self) -> bool:
        """Prints the sum, and returns whether all checks were made and have passed."""
        self._print("")
        missing = self.expected - self.made
        verdict = f"{self.made} checks, {self.failed} failed"
        if missing:
            verdict += f"; {self.expected} were to be made"
        self._print(verdict)
        return not self.failed and not missing and self.made > 0

    def _verdict(self, what: str, figure: str, ok: bool) -> None:
        self.failed += not ok
        self._print(f"  {'ok  ' if ok else 'MISS'} {what:62} {figure}")

    def _print(self, line: str) -> None:
        print(line, flush=True)
        self.lines.append(line)
