"""What the YAML parser says about bad syntax, in words of ours and at the place to edit.

Called by config.yaml_reader when the parser gives up. The parser's texts are matched as they are (libyaml); one that is
not known is shown as it stands.
"""

import functools
import re
from typing import Any

from bundlectl.config.yaml_text import error, position
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import SourceSpan

_QUOTE = 'quote the value: "..."'
_PARSER_DEPTH = 1000
_LONGEST_SHOWN = 60


@functools.cache
def _template() -> re.Pattern[str]:
    return re.compile(r"(?:^|[:\-\[,])[ \t]*(\{\{[^\n]*)")


def syntax_finding(fault: Any, file: str, text: str) -> Diagnostic:
    """A finding for an exception of the parser (yaml.MarkedYAMLError, yaml.reader.ReaderError)."""
    problem = str(getattr(fault, "problem", None) or getattr(fault, "reason", None) or fault)
    at = _span(file, getattr(fault, "problem_mark", None))
    start = _span(file, getattr(fault, "context_mark", None)) if getattr(fault, "context_mark", None) else at
    context = str(getattr(fault, "context", None) or "")
    for known in (_template_braces, _character, _quoted_text, _flow, _alias, _mapping):
        finding = known(file, text, context, problem, start, at)
        if finding is not None:
            return finding
    words = f"{problem} {context}".strip().replace("did not find expected", "expected")
    return error("BND108", words, at, hint="check the indentation and the quotes around here")


def _span(file: str, mark: Any) -> SourceSpan:
    if mark is None:
        return SourceSpan(file, 1, 1)
    return SourceSpan(file, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)


def _line(text: str, span: SourceSpan) -> str:
    lines = text.split("\n", span.line)
    return lines[span.line - 1] if span.line <= len(lines) else ""


def _template_braces(
    file: str, text: str, context: str, problem: str, start: SourceSpan, at: SourceSpan
) -> Diagnostic | None:
    """`x: {{job.id}} more`: what follows the braces makes no sense to a parser."""
    line = _line(text, at)
    match = _template().search(line)
    if match is None or match.start(1) >= at.column:
        return None
    span = SourceSpan(file, at.line, match.start(1) + 1, at.line, match.start(1) + 3)
    return template_finding(span, line)


def template_finding(span: SourceSpan, line: str) -> Diagnostic:
    """`{{` at the start of a plain value. `line` is the whole line of the file."""
    return error("BND127", '"{{" starts a map here', span, hint=_quote_it(_plain_value(line, span.column - 1)))


def _quote_it(value: str) -> str:
    return f'quote it: "{value}"' if 0 < len(value) <= _LONGEST_SHOWN and '"' not in value else _QUOTE


def _plain_value(line: str, start: int) -> str:
    """What was meant to be one value: to the end of the line, or of the entry when the line holds a list or map."""
    value = line[start:].split(" #")[0].rstrip()
    before = line[:start]
    in_flow = sum(before.count(sign) for sign in "[{") > sum(before.count(sign) for sign in "]}")
    depth = 0
    for at, sign in enumerate(value):
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
            if depth < 0:
                return value[:at].rstrip()
        elif sign == "," and in_flow and depth == 0 and value[at + 1 : at + 2] in ("", " ", "\t"):
            return value[:at].rstrip()  # a comma without a space after it is part of 0,30
    return value


def _character(
    file: str, text: str, context: str, problem: str, start: SourceSpan, at: SourceSpan
) -> Diagnostic | None:
    """A character that cannot be where it is."""
    if "tab character" in problem:
        return error("BND109", "tab in indentation", at, hint="indent with spaces")
    if "cannot start any token" not in problem:
        return None
    line = _line(text, at)
    sign = line[at.column - 1 : at.column]
    if sign == "\t":
        return error("BND109", "tab in indentation", at, hint="indent with spaces")
    hint = _quote_it(_plain_value(line, at.column - 1))
    return error("BND127", f'"{sign}" cannot start a plain value', at, hint=hint)


def _quoted_text(
    file: str, text: str, context: str, problem: str, start: SourceSpan, at: SourceSpan
) -> Diagnostic | None:
    """Text in quotes that does not end, or with an escape that says nothing."""
    if "quoted scalar" not in context:
        return None
    if "unexpected end of stream" in problem or "document indicator" in problem:
        return error("BND108", "text is not closed", start, hint="close the quote")
    if "escape" not in problem and "hexdecimal" not in problem:
        return None
    line = _line(text, at)
    begin = line.rfind("\\", 0, at.column)
    begin = begin if begin >= 0 else at.column - 1
    match = re.match(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.?)", line[begin:])
    escape = match[0] if match is not None and match[0] else "\\"
    span = SourceSpan(file, at.line, begin + 1, at.line, begin + 1 + len(escape))
    if re.match(r"\\(?:u|U0000)[dD][89a-fA-F]", escape):
        hint = r"write the character itself, or \U and 8 digits"
        return error("BND128", f"escape {escape} is half of a pair", span, hint=hint)
    hint = r"write \\ for a backslash, or use single quotes"
    return error("BND128", f"escape {escape} means nothing", span, hint=hint)


def _flow(file: str, text: str, context: str, problem: str, start: SourceSpan, at: SourceSpan) -> Diagnostic | None:
    """`{` or `[` that is not closed, or a comma that is missing."""
    if "flow mapping" not in context and "flow sequence" not in context:
        return None
    opening, closing = ("{", "}") if "flow mapping" in context else ("[", "]")
    if at.line == start.line:
        return error(
            "BND108", f'expected "," or "{closing}"', at, detail=f'"{opening}" is at {start.line}:{start.column}'
        )
    return error("BND108", f'"{opening}" is not closed', start, hint=f'add "{closing}"')


def _alias(file: str, text: str, context: str, problem: str, start: SourceSpan, at: SourceSpan) -> Diagnostic | None:
    """A plain value that starts with `*` or `&`."""
    if context not in ("while scanning an alias", "while scanning an anchor"):
        return None
    sign = "*" if "alias" in context else "&"
    value = _plain_value(_line(text, start), start.column - 1)
    span = start._replace(end_column=start.column + max(1, len(value)))
    cron = sign == "*" and len(value.split()) >= 5
    hint = f'quote the cron expression: "{value}"' if cron else _quote_it(value)
    kind = "an alias" if sign == "*" else "an anchor"
    return error("BND127", f'"{sign}" starts {kind} here', span, hint=hint)


def _mapping(file: str, text: str, context: str, problem: str, start: SourceSpan, at: SourceSpan) -> Diagnostic | None:
    """Block structure."""
    sign = _line(text, at)[at.column - 1 : at.column]
    if sign in ("]", "}", ","):
        what = "separates nothing" if sign == "," else "closes nothing"
        return error("BND108", f'"{sign}" {what} here', at, hint="remove it, or quote the value")
    if "mapping values are not allowed" in problem:
        hint = "quote the value if it holds a colon, or correct the indentation"
        return error("BND108", "mapping not allowed here", at, hint=hint)
    if "block sequence entries are not allowed" in problem:
        return error("BND108", "list not allowed here", at, hint="start the list on its own line")
    if "document start" in problem:
        return error("BND105", "more than one YAML document", at, hint="keep one document in a file")
    if "undefined tag handle" in problem:
        word = _line(text, at)[at.column - 1 :].split(" ")[0]
        return error("BND117", f'tag "{word}" is not allowed', at)
    if "could not find expected ':'" in problem:
        line = _line(text, start)
        span = start._replace(end_column=start.column + max(1, len(line.rstrip()) - start.column + 1))
        return error("BND108", 'expected ":" after this', span, hint="check the indentation")
    if "did not find expected key" in problem or "expected '-' indicator" in problem:
        what = "a key" if "key" in problem else '"-"'
        hint = "check the indentation, and quote a value that starts with a quote, { or ["
        return error("BND108", f"expected {what} here", at, hint=hint)
    return None


def depth_finding(fault: Any, file: str, text: str, allowed: int) -> Diagnostic:
    """Nesting that the parser itself gave up on: at the first opening that is one too many."""
    mark = fault.problem_mark
    offset = 0
    for _ in range(mark.line):
        offset = text.index("\n", offset) + 1
    offset += mark.column
    openings = [match.start() for match in re.finditer(r"[\[{]", text[: offset + 1])]
    # The parser's own limit is far deeper, and all the openings before it are in one run.
    first = max(0, len(openings) - _PARSER_DEPTH - 1)
    at = openings[min(first + allowed, len(openings) - 1)] if openings else offset
    return error("BND123", "nesting too deep", position(file, text, at))
