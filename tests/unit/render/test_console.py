"""Where output goes, when it is coloured, and what a closed stdout does."""

import contextlib
import io
import os

import pytest

from bundlectl.render.console import Console, OutputClosed, use_color


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environment", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour(choice: str, environment: dict[str, str], terminal: bool, expected: bool) -> None:
    assert use_color(choice, environment, terminal) is expected


def test_each_stream_is_judged_alone() -> None:
    console = Console(io.StringIO(), Terminal())
    assert console.style("add", "x") == "x"
    assert console.error_style("add", "x") == "\x1b[32mx\x1b[0m"
    assert console.interactive
    assert not Console(Terminal(), io.StringIO()).interactive
    assert not Console(Terminal(), Terminal(), in_ci=True).interactive


def test_result_and_conversation_do_not_mix() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)
    console.result("the result")
    console.say("a note")
    console.report("a finding\n")
    assert (out.getvalue(), err.getvalue()) == ("the result\n", "a note\na finding\n")


@pytest.mark.parametrize(("quiet", "shown"), [(0, "long\n"), (1, "short\n"), (2, "")])
def test_quiet(quiet: int, shown: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err, quiet=quiet)
    console.result("long", summary="short")
    console.say("note")
    console.document({"b": 1, "a": "\x9b"})
    console.report("error")
    assert out.getvalue() == shown + '{"a":"\\u009b","b":1}\n'
    assert err.getvalue() == ("note\nerror\n" if quiet == 0 else "error\n")


def test_in_ci_no_line_is_a_command() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err, in_ci=True)
    console.result("::error::x\nfine")
    console.say("##vso[task.setvariable]x")
    console.log("head", "a\n::set-env::b\n")
    assert out.getvalue() == "| ::error::x\nfine\nhead\na\n| ::set-env::b\n"
    assert err.getvalue() == "| ##vso[task.setvariable]x\n"


def test_logs_are_escaped_unless_raw() -> None:
    out = io.StringIO()
    console = Console(out, io.StringIO())
    console.log("t \x1b[1m", "\x1b[2J\n")
    console.log("t", "\x1b[2J", raw=True)
    assert out.getvalue() == "t \\x1b[1m\n\\x1b[2J\n\x1b[2J"


def test_a_closed_stdout_has_its_own_exception() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    out = open(writer, "w", encoding="utf-8")  # noqa: SIM115 - closed below, where closing fails
    console = Console(out, io.StringIO())
    with pytest.raises(OutputClosed):
        console.result("x" * 100_000)
    with contextlib.suppress(BrokenPipeError):
        out.close()


def test_a_closed_stderr_loses_what_is_said() -> None:
    err = io.StringIO()
    console = Console(io.StringIO(), err)
    err.close()
    console.report("nobody hears this")


def test_an_ascii_stream_shows_escapes() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Console(out, io.StringIO()).result("caf\u00e9")
    assert raw.getvalue() == b"caf\\xe9\n"


def test_asking_needs_two_terminals() -> None:
    err = Terminal()
    console = Console(io.StringIO(), err, stdin=Terminal("yes\n"))
    assert console.may_prompt
    assert console.ask("Apply \x1b?") == "yes"
    assert err.getvalue() == "Apply \\x1b? "
    assert not Console(io.StringIO(), err, stdin=io.StringIO()).may_prompt
    assert not Console(io.StringIO(), err, stdin=Terminal(), interactive=False).may_prompt


@pytest.mark.parametrize(
    ("stdout", "stdin", "starts", "paged"),
    [
        (Terminal, Terminal, True, True),
        (io.StringIO, Terminal, True, False),
        (Terminal, io.StringIO, True, False),
        (Terminal, Terminal, False, False),
    ],
)
def test_a_long_text_goes_to_the_pager_where_somebody_reads_it(
    stdout: type[io.StringIO], stdin: type[io.StringIO], starts: bool, paged: bool
) -> None:
    shown: list[str] = []

    def page(text: str) -> bool:
        shown.extend([text] if starts else [])
        return starts

    out = stdout()
    console = Console(out, Terminal(), stdin=stdin(), page=page)
    console.result("short")
    console.result("long", paged=True)
    assert (shown, out.getvalue()) == ((["long\n"], "short\n") if paged else ([], "short\nlong\n"))
