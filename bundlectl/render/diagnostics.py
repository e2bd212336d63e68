"""Findings as text: with source line and caret, and one line per finding for editors. Pure.

Called by cli for every finding and for the error that ended a command. The JSON form of a finding is
model.plan_document.diagnostic_document.
"""

from collections.abc import Callable, Iterable, Sequence

from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.errors import BundlectlError, Interrupted
from bundlectl.model.location import SourceSpan, parse_path, path_short
from bundlectl.render.escape import Style, plain, visible, visible_lines

# (file, line from 1) -> text of that line, or None when it cannot be had.
ReadLine = Callable[[str, int], str | None]

_SHOWN_AS = {
    Severity.ERROR: "error",
    Severity.PLAN_ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "note",
}
_WIDEST = 200  # characters of a source line that are shown


def no_lines(file: str, line: int) -> str | None:
    """A reader that has nothing."""
    return None


def source_reader(read: Callable[[str], bytes | str | None]) -> ReadLine:
    """A ReadLine over whole files; each file is asked for once. `read` gives None for a file it does not have."""
    known: dict[str, list[str]] = {}

    def read_line(file: str, line: int) -> str | None:
        if file not in known:
            content = read(file)
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content or ""
            known[file] = text.removeprefix("\ufeff").split("\n")
        lines = known[file]
        return lines[line - 1].rstrip("\r") if 1 <= line <= len(lines) else None

    return read_line


def diagnostics_text(
    items: Iterable[Diagnostic],
    *,
    read_line: ReadLine = no_lines,
    terminal: bool = False,
    style: Style = plain,
    counted: bool = True,
) -> str:
    """Every finding, sorted by file and position, and the count line. Empty when there is none.

    On a terminal errors come last, where they are read; elsewhere one line per finding comes first.
    """
    found = sorted(items, key=_position)
    if not found:
        return ""
    if terminal:
        found.sort(key=lambda item: _SHOWN_AS[item.severity] == "error")
    blocks = [_block(item, read_line, style) for item in found]
    if not terminal:
        blocks.insert(0, "\n".join(_line(item) for item in found) + "\n")
    if counted:
        blocks.append(count_line(found) + "\n")
    return "\n".join(blocks)


def error_text(
    error: BundlectlError, *, read_line: ReadLine = no_lines, terminal: bool = False, style: Style = plain
) -> str:
    """An error that ended a command: its findings if it carries some, else its own summary, detail and hint."""
    if error.diagnostics:
        return diagnostics_text(error.diagnostics, read_line=read_line, terminal=terminal, style=style)
    if isinstance(error, Interrupted):  # no finding: whoever sent the signal knows why
        help_line = f" = help: {visible(error.hint)}\n" if error.hint else ""
        return f"{style('bold', visible(error.summary))}\n{help_line}"
    return _block(error.as_diagnostic(), read_line, style)


def count_line(items: Sequence[Diagnostic]) -> str:
    """`2 errors, 0 warnings`; notes are counted when there are some."""
    names = [_SHOWN_AS[item.severity] for item in items]
    text = f"{_counted(names.count('error'), 'error')}, {_counted(names.count('warning'), 'warning')}"
    return text + (f", {_counted(names.count('note'), 'note')}" if "note" in names else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _position(item: Diagnostic) -> tuple[bool, str, int, int, str, str]:
    if not item.spans:
        return (True, "", 0, 0, item.code, item.summary)
    span = item.spans[0]
    return (False, span.file, span.line, span.column, item.code, item.summary)


def _line(item: Diagnostic) -> str:
    """`databricks.yml:31:11: error: BND204 unknown field "max_retrys" in a task`."""
    where = f"{visible(item.spans[0])}: " if item.spans else ""
    return f"{where}{_SHOWN_AS[item.severity]}: {item.code} {visible(item.summary)}"


def _block(item: Diagnostic, read_line: ReadLine, style: Style) -> str:
    kind = _SHOWN_AS[item.severity]
    lines = [f"{style(kind, f'{kind}[{item.code}]')}: {style('bold', visible(item.summary))}"]
    numbers = [span.line for span in (*item.spans, *(related.span for related in item.related))]
    width = len(str(max(numbers))) if numbers else 1
    margin = " " * width
    if not item.spans:
        if item.path is not None:
            lines.append(f"{margin}--> {visible(_shown_path(item.path))}")
        if item.detail:
            lines += [f"  {line}" for line in visible_lines(item.detail).split("\n")]
    path = f"   {visible(_shown_path(item.path))}" if item.path is not None else ""
    drawn = False
    for number, span in enumerate(item.spans):
        lines.append(f"{margin}{style('path', '-->')} {visible(span)}{path if number == 0 else ''}")
        excerpt = _excerpt(span, item.detail if number == 0 else None, width, read_line, style, kind)
        drawn = len(excerpt) > 1
        lines += excerpt
    for related in item.related:
        lines.append(f"{margin}{style('path', '-->')} {visible(related.span)}   {visible(related.text)}")
        lines += _excerpt(related.span, None, width, read_line, style, "note")
    if item.hint:
        if drawn:
            lines.append(f"{margin} |")
        lines.append(f"{margin} = help: {visible(item.hint)}")
    return "\n".join(lines) + "\n"


def _excerpt(
    span: SourceSpan, detail: str | None, width: int, read_line: ReadLine, style: Style, kind: str
) -> list[str]:
    """The source line with the caret under what is meant; `detail` follows the caret."""
    bar = f"{' ' * width} |"
    text = read_line(span.file, span.line)
    if text is None or span.column > _WIDEST:
        return [f"{' ' * width} = {visible(detail)}"] if detail else []
    before, marked = text[: span.column - 1], text[span.column - 1 : _end(span, text)]
    indent = " " * len(visible_lines(before))
    length = min(max(1, len(visible_lines(marked))), _WIDEST)
    shown = visible_lines(text[:_WIDEST])
    caret = style(kind, "^" * length + (f" {visible(detail)}" if detail else ""))
    return [bar, f"{span.line:>{width}} | {shown}", f"{bar} {indent}{caret}"]


def _end(span: SourceSpan, text: str) -> int:
    """Where the marked part ends on its first line: before the end column, or at the end of the line."""
    if span.end_line not in (0, span.line):
        return len(text.rstrip())
    return max(span.end_column - 1, span.column) if span.end_column else span.column


def _shown_path(path: str) -> str:
    """The short form of a field path. Of a field in a list element, the element: the caret shows the field."""
    try:
        steps = parse_path(path)
    except ValueError:
        return path
    if len(steps) > 1 and isinstance(steps[-1], str) and not isinstance(steps[-2], str):
        steps = steps[:-1]
    return path_short(steps)
