"""The command `sweep`: it becomes the program.

The process is replaced, so that signals reach the program itself and its exit status is that of the command. This
module imports nothing that is slow.
"""

import os
import sys
from typing import NoReturn

from ._binary import VARIABLE, binary


def main() -> NoReturn:
    """Replace this process by the program, with the same arguments."""
    try:
        program = binary()
    except FileNotFoundError as error:
        sys.exit(f"sweep: {error}")
    # If the variable names this command itself, the program of the package runs, instead of this for ever.
    os.environ.pop(VARIABLE, None)
    sys.stdout.flush()
    os.execv(program, ["sweep", *sys.argv[1:]])
