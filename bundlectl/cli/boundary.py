"""From whatever a command raises to a message, a crash file and an exit code. The only place that catches everything.

Called by cli.main around the whole of a command. No traceback reaches a user unless --debug asks for it.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from bundlectl.cli.environment import crash_folder, plain_console
from bundlectl.model.errors import BundlectlError, Interrupted, UsageError
from bundlectl.render.console import Console, OutputClosed
from bundlectl.render.diagnostics import error_text, source_reader
from bundlectl.render.documents import error_document

BUG = 70
CLOSED = 141
INTERRUPTED, TERMINATED = 130, 143


def guarded(words: Sequence[str], command: Callable[[], int]) -> int:
    """Runs `command`; its exit code, or that of what it raised."""
    terminated = _SigTerm()
    signal.signal(signal.SIGTERM, terminated)
    try:
        return command()
    except (OutputClosed, BrokenPipeError):
        _discard_stdout()
        return CLOSED
    except KeyboardInterrupt:
        error: BundlectlError = Interrupted("interrupted; run the same command to continue")
    except BundlectlError as expected:
        error = expected
    except Exception as unexpected:
        usage = _usage(unexpected)
        if usage is None:
            return _crash(words, unexpected)
        error = usage
    if isinstance(error, Interrupted) and terminated.received:
        error.exit_code = TERMINATED
    return _report(words, error)


class _SigTerm:
    """SIGTERM ends a command like Ctrl-C does, and is remembered."""

    def __init__(self) -> None:
        self.received = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        raise KeyboardInterrupt


def _report(words: Sequence[str], error: BundlectlError) -> int:
    words = words[: words.index("--")] if "--" in words else words  # what follows is not for bundlectl
    console = plain_console(words)
    try:
        if _asked_for_json(words):
            console.document(error_document(error))
        _print_error(console, error)
    except (OutputClosed, BrokenPipeError):
        _discard_stdout()
        return CLOSED
    if "--debug" in words:
        _print_traceback(console, error)
    return error.exit_code


def _print_error(console: Console, error: BundlectlError) -> None:
    read = error.read_source if error.read_source is not None else lambda file: None
    console.report(
        error_text(
            error,
            read_line=source_reader(read),
            terminal=console.stderr_is_terminal,
            style=console.error_style,
        )
    )


def _usage(error: Exception) -> UsageError | None:
    """Typer's own complaints as ours: its exit code 2 means something else here."""
    module = type(error).__module__
    if not module.startswith("typer"):
        return None
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "Abort":
        return UsageError("aborted at the prompt. Nothing was changed.")
    return UsageError(message.rstrip("."), hint="the command with --help lists its options")


def _crash(words: Sequence[str], error: Exception) -> int:
    """One line for the user, everything else into a file that can be sent."""
    import traceback

    console = plain_console(words)
    text = "".join(traceback.format_exception(error))
    try:
        path = crash_folder() / f"crash-{os.getpid()}.txt"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(f"argv: {masked(words)}\npython: {sys.version}\n\n{text}", encoding="utf-8")
        path.chmod(0o600)
        where = f"details in {path}"
    except OSError:
        where = "the details could not be written to a file; --debug shows them"
    console.report(
        f"bundlectl crashed: {type(error).__name__}; {where}\n"
        "This is a bug in bundlectl. Send that file with what you did."
    )
    if "--debug" in words:
        console.report(text)
    return BUG


def masked(words: Sequence[str]) -> list[str]:
    """Arguments with the values of variables and parameters hidden."""
    shown: list[str] = []
    hide = False
    for word in words:
        name, equals, _ = word.partition("=")
        if hide:
            shown.append(f"{name}=***" if equals else "***")
        elif name in ("--var", "--param") and equals:
            shown.append(f"{name}=***")
        else:
            shown.append(word)
        hide = word in ("--var", "--param")
    return shown


def _asked_for_json(words: Sequence[str]) -> bool:
    """Whether stdout has to be JSON also when the command line itself does not hold."""
    for at, word in enumerate(words):
        if word in ("-o", "--output") and at + 1 < len(words):
            return words[at + 1] == "json"
        if word in ("-ojson", "--output=json"):
            return True
    return False


def _print_traceback(console: Console, error: BaseException) -> None:
    import traceback

    console.report("".join(traceback.format_exception(error)))


def _discard_stdout() -> None:
    # The interpreter flushes stdout at its end and would complain about the closed pipe.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
