"""Entry point: answers --version by itself, so that it costs no more than the interpreter; else starts cli.main."""

import gc
import sys

from bundlectl import __version__


def main() -> None:
    """Runs one command and ends the process with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"bundlectl {__version__}\n")
        sys.exit(0)
    # Loading modules and decoding documents makes many objects and no garbage: looking for it early, and once more
    # at the end of the process, costs a fifth of a short command.
    gc.set_threshold(50_000, 20, 50)
    from bundlectl.cli.main import run

    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
