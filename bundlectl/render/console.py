"""The only writer to stdout and stderr: the result goes to the first, the conversation to the second.

Made by cli.wiring, passed to whatever writes. Knows terminals, colour, quiet and CI; does not know what is written.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from bundlectl.render.documents import dumps
from bundlectl.render.escape import Style, ci_lines, coloured, plain, visible, visible_lines


class OutputClosed(Exception):
    """Nobody reads stdout any more; the command ends quietly with 141."""


def use_color(choice: str, environment: Mapping[str, str], is_terminal: bool) -> bool:
    """Whether one stream is coloured. `choice`: auto, always or never; a flag beats a variable."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


class Console:
    """Two streams and how they are written. `quiet`: 1 leaves summaries, 2 nothing on success.

    `page` shows a text in the user's pager, or says that it cannot.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        *,
        color: str = "auto",
        quiet: int = 0,
        interactive: bool | None = None,
        in_ci: bool = False,
        environment: Mapping[str, str] | None = None,
        stdin: TextIO | None = None,
        page: Callable[[str], bool] | None = None,
    ) -> None:
        self._stdout = stdout
        self._page = page
        self._stdin = sys.stdin if stdin is None else stdin
        self.stderr = stderr  # render.progress draws its live table on it
        self.quiet = quiet
        self.in_ci = in_ci
        self.stdout_is_terminal = _is_terminal(stdout)
        self.stderr_is_terminal = _is_terminal(stderr)
        self.interactive = self.stderr_is_terminal and not in_ci if interactive is None else interactive
        variables = environment or {}
        self.style: Style = coloured if use_color(color, variables, self.stdout_is_terminal) else plain
        self.error_style: Style = coloured if use_color(color, variables, self.stderr_is_terminal) else plain
        for stream in (stdout, stderr):
            _never_fail_on_a_character(stream)

    def result(self, text: str, *, summary: str | None = None, paged: bool = False) -> None:
        """The result as text. With -q the summary alone (the whole text if there is none), with -qq nothing.

        `paged`: somebody at a terminal reads it through the pager that they chose, if they chose one.
        """
        if self.quiet >= 2:
            return
        shown = self._safe(summary if self.quiet == 1 and summary is not None else text)
        if paged and self._page is not None and self.stdout_is_terminal and self.may_prompt:
            self._stdout.flush()
            if self._page(_ended(shown)):
                return
        self._write_out(shown)

    @property
    def may_prompt(self) -> bool:
        """Whether somebody is there to answer: stderr and stdin are terminals, and nothing forbids it."""
        return self.interactive and _is_terminal(self._stdin)

    def ask(self, prompt: str) -> str:
        """What the user answers on stdin, without its line end; empty at its end. Only where `may_prompt`."""
        self.stderr.write(visible(prompt.rstrip("\n")).rstrip() + " ")
        self.stderr.flush()
        return self._stdin.readline().rstrip("\r\n")

    def log(self, heading: str | None, text: str, *, raw: bool = False) -> None:
        """Output of a task: escaped for the terminal, or with `raw` exactly as the task wrote it, without heading."""
        if raw:
            self.raw(text)
            return
        shown = visible_lines(text.removesuffix("\n"))
        head = [self.style("bold", visible(heading))] if heading else []
        self._write_out(self._safe("\n".join([*head, shown] if text else head)))

    def document(self, document: Any) -> None:
        """The result as JSON, from its value or as text that is JSON already: always written, never touched."""
        self._write_out(document if isinstance(document, str) else dumps(document))

    def raw(self, text: str) -> None:
        """Part of a result that is passed through as it is, without a line end of ours."""
        self._send_out(text)

    def say(self, text: str) -> None:
        """Conversation: left out with -q."""
        if self.quiet == 0:
            self.report(text)

    def report(self, text: str) -> None:
        """Findings, warnings, errors, prompts: always written to stderr. A closed stderr loses them."""
        try:
            self.stderr.write(_ended(self._safe(text)))
            self.stderr.flush()
        except (BrokenPipeError, ValueError):
            return

    def _safe(self, text: str) -> str:
        return ci_lines(text) if self.in_ci else text

    def _write_out(self, text: str) -> None:
        if text:
            self._send_out(_ended(text))

    def _send_out(self, text: str) -> None:
        try:
            self._stdout.write(text)
            self._stdout.flush()
        except (BrokenPipeError, ValueError) as error:
            raise OutputClosed from error


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _never_fail_on_a_character(stream: TextIO) -> None:
    # An ASCII locale must not turn a name into a crash: what it cannot show is escaped.
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
