"""Bytes of a bundle file -> text that may be parsed: encoding, forbidden characters, merge conflict markers, size.

Called by config.yaml_reader before the parser sees anything. Also says where a byte or character is.
"""

import functools
import re

from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import SourceSpan

_ALLOWED_ASCII = bytes([9, 10, 13, *range(32, 127)])
_UTF8_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


class BadText(Exception):
    """A file that is not read further; holds the finding."""

    def __init__(self, finding: Diagnostic) -> None:
        super().__init__(finding.summary)
        self.finding = finding


@functools.cache
def _forbidden() -> re.Pattern[str]:
    return re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


@functools.cache
def _conflict() -> re.Pattern[str]:
    return re.compile(r"^(?:<<<<<<< |>>>>>>> )", re.MULTILINE)


def error(
    code: str, summary: str, span: SourceSpan, *more: SourceSpan, hint: str | None = None, detail: str | None = None
) -> Diagnostic:
    """A finding of class E at a place in a file."""
    return Diagnostic(
        code=code, severity=Severity.ERROR, summary=summary, detail=detail, hint=hint, spans=(span, *more)
    )


def position(file: str, text: str, offset: int, length: int = 1) -> SourceSpan:
    """The place of a character of `text`."""
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return SourceSpan(file, line, column, line, column + length)


def size_text(count: int) -> str:
    """A limit for people: 8 MiB, or bytes when it is no round figure."""
    return f"{count >> 20} MiB" if count % (1 << 20) == 0 else f"{count} bytes"


def decode(data: bytes, file: str, *, max_bytes: int) -> str:
    """The text of a file, without a byte order mark. Raises BadText."""
    if len(data) > max_bytes:
        raise BadText(error("BND120", f"file is larger than {size_text(max_bytes)}", SourceSpan(file, 1, 1)))
    data = data.removeprefix(_UTF8_BOM)
    wide = _wide_encoding(data)
    if wide is not None:
        raise BadText(
            error("BND106", f"file is {wide}, expected UTF-8", SourceSpan(file, 1, 1), hint="save it as UTF-8")
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        before = data[: fault.start].decode("utf-8")
        summary = f"not UTF-8 (byte 0x{data[fault.start]:02X} at offset {fault.start})"
        span = position(file, before, len(before))
        raise BadText(error("BND106", summary, span, hint="save the file as UTF-8")) from None
    # Deleting what is allowed is far quicker than searching for what is not.
    if data.translate(None, _ALLOWED_ASCII):
        match = _forbidden().search(text)
        if match is not None:
            summary = f"character U+{ord(match[0]):04X} is not allowed"
            raise BadText(error("BND107", summary, position(file, text, match.start())))
    if "<<<<<<< " in text or ">>>>>>> " in text:
        match = _conflict().search(text)
        if match is not None:
            span = position(file, text, match.start(), 7)
            raise BadText(
                error("BND110", "unresolved merge conflict", span, hint="resolve it, then remove the markers")
            )
    return text


def _wide_encoding(data: bytes) -> str | None:
    for bom, name in _WIDE_BOMS:
        if data.startswith(bom):
            return name
    head = data[:4]
    if len(head) == 4 and (head[:3] == b"\0\0\0" or head[1:] == b"\0\0\0"):
        return "UTF-32"
    # One NUL alone is a forbidden character; ASCII in two bytes a character has one in each pair.
    if len(head) == 4 and (head[0] == head[2] == 0 or head[1] == head[3] == 0):
        return "UTF-16"
    return None
