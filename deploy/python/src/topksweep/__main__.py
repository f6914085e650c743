"""`python -m topksweep` is the command `sweep` of this package."""

from ._command import main

if __name__ == "__main__":
    main()
