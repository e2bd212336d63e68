"""`${...}` references: grammar, and substitution as a pure lookup in the tree (config language 8.1 to 8.3).

Called by config.resolution, which says what is resolved when. Knows no field; executes and formats nothing.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from bundlectl.config.node import Node, Note
from bundlectl.config.request import Limits
from bundlectl.model.location import FieldPath, SourceSpan

ROUNDS = 11
_SEG = r"[A-Za-z][A-Za-z0-9]*(?:[-_]+[A-Za-z0-9]+)*"
_PATH = rf"{_SEG}(?:\[[0-9]+\])*(?:\.{_SEG}(?:\[[0-9]+\])*)*"
_LONGEST_INDEX = 9


class Reference(NamedTuple):
    """One reference in a text."""

    text: str  # ${var.x}
    start: int
    end: int
    steps: tuple[str | int, ...]  # as written: var, x
    pure: bool  # the text is nothing else


@functools.cache
def _pattern() -> re.Pattern[str]:
    # Separators and letters are disjoint, so a text is read once.
    return re.compile(r"\$\{(" + _PATH + r")\}")


@functools.cache
def _step_pattern() -> re.Pattern[str]:
    return re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


def is_segment(text: str) -> bool:
    """Whether a key can be a step of a reference (config language 8.1)."""
    return re.fullmatch(_SEG, mask(text)) is not None


def mask(text: str) -> str:
    """The text with one ASCII sign for each other one: a letter, a digit, or a sign that means nothing."""
    if text.isascii():
        return text
    kinds = {"L": "a", "N": "0"}
    return "".join(sign if sign.isascii() else kinds.get(unicodedata.category(sign)[0], "\x01") for sign in text)


@functools.lru_cache(maxsize=8192)
def references(text: str) -> tuple[Reference, ...]:
    """All references in a text, in order."""
    if "${" not in text:
        return ()
    found = []
    for match in _pattern().finditer(mask(text)):
        start, end = match.span()
        written = text[start:end]
        steps = tuple(
            name or int(index[:_LONGEST_INDEX] if len(index) <= _LONGEST_INDEX else "9" * _LONGEST_INDEX)
            for name, index in _step_pattern().findall(written[2:-1])
        )
        found.append(Reference(written, start, end, steps, start == 0 and end == len(text)))
    return tuple(found)


def loose_dollars(text: str) -> list[int]:
    """Offsets of `${` that start no reference."""
    if "${" not in text:
        return []
    taken = {reference.start for reference in references(text)}
    return [match.start() for match in re.finditer(r"\$\{", text) if match.start() not in taken]


def place_in(node: Node, start: int, length: int) -> SourceSpan:
    """The place of a part of a text, when the text stands in one line of the file as it is; else of all of it."""
    span = node.span
    written = span.end_column - span.column
    size = len(node.value) if isinstance(node.value, str) else -1
    if span.line != span.end_line or written - size not in (0, 2):
        return span
    column = span.column + (written - size) // 2 + start
    return span._replace(column=column, end_column=column + length)


class Unresolved(Exception):
    """A reference that does not hold: what the finding says. `chain` are paths that led here."""

    def __init__(
        self,
        code: str,
        summary: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        chain: tuple[str, ...] = (),
    ) -> None:
        super().__init__(summary)
        self.code = code
        self.summary = summary
        self.detail = detail
        self.hint = hint
        self.chain = chain


class TooLarge(Exception):
    """Text grew over a limit, or, when `deep`, maps and lists are nested over one."""

    def __init__(self, *, deep: bool = False) -> None:
        super().__init__()
        self.deep = deep


class Substitution:
    """Passes over trees: every string once, each reference looked up in the tree as it was before.

    What a reference leads to is said by a subclass.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._text_left = limits.all_text_bytes
        self.changed: list[Reference] = []  # references that were replaced
        self.open = False  # something that was put in holds `${` itself
        self.literal: list[tuple[FieldPath, Node]] = []  # texts with `${` that stay as they are

    def look_up(self, reference: Reference) -> Node | None:
        """What a reference leads to; None for one that stays as it is. Raises Unresolved."""
        raise NotImplementedError

    def fail(self, fault: Unresolved, reference: Reference, node: Node, path: FieldPath) -> None:
        """Takes note of a reference that does not hold."""
        raise NotImplementedError

    def respelled(self, text: str, reference: Reference, node: Node, path: FieldPath) -> None:
        """Takes note of a number that is put into text in a spelling that nobody wrote."""
        raise NotImplementedError

    def tree(self, node: Node, path: FieldPath, depth: int = 1) -> Node:
        """The tree with references replaced; itself when there were none. Raises TooLarge."""
        value = node.value
        if isinstance(value, str):
            return self.text(node, path, depth) if "${" in value else node
        if depth > self._limits.depth and isinstance(value, dict | list):
            raise TooLarge(deep=True)
        if isinstance(value, dict):
            edits = {}
            for key, child in value.items():
                inner = child.value
                if inner.__class__ is str:
                    if "${" not in inner:
                        continue
                elif inner.__class__ is not dict and inner.__class__ is not list:
                    continue
                kept = self.tree(child, (*path, key), depth + 1)
                if kept is not child:
                    edits[key] = kept
            return node.with_value({**value, **edits}) if edits else node
        if isinstance(value, list):
            changed = False
            items = []
            for index, child in enumerate(value):
                kept = self.tree(child, (*path, index), depth + 1)
                changed = changed or kept is not child
                items.append(kept)
            return node.with_value(items) if changed else node
        return node

    def text(self, node: Node, path: FieldPath, depth: int = 1) -> Node:
        """A text with its references replaced. Raises TooLarge."""
        found = references(node.value)
        if not found:
            self.literal.append((path, node))
            return node
        if found[0].pure:
            return self._pure(node, found[0], path, depth)
        pieces: list[str] = []
        origin = node.origin
        at = 0
        for reference in found:
            try:
                target = self.look_up(reference)
                inserted = reference.text if target is None else scalar_text(target, reference)
            except Unresolved as fault:
                self.fail(fault, reference, node, path)
                target, inserted = None, reference.text
            if target is not None:
                self.changed.append(reference)
                origin = origin or target.origin
                if isinstance(target.value, float) and "e" in inserted:
                    self.respelled(inserted, reference, node, path)
            pieces += (node.value[at : reference.start], inserted)
            at = reference.end
        text = "".join((*pieces, node.value[at:]))
        if text == node.value:
            self.literal.append((path, node))
            return node
        self._spend(text)
        note = node.note if node.note is not None or origin is None else Note(origin=origin)
        kept = Node(text, node.place, node.keys, node.more, note)
        if "${" in text:
            self.open = True
            self.literal.append((path, kept))
        return kept

    def _pure(self, node: Node, reference: Reference, path: FieldPath, depth: int) -> Node:
        try:
            target = self.look_up(reference)
        except Unresolved as fault:
            self.fail(fault, reference, node, path)
            return node
        if target is None or target is node or (isinstance(target.value, str) and target.value == node.value):
            self.literal.append((path, node))
            return node
        self.changed.append(reference)
        self._measure(target, depth)
        return at_use(target, node)

    def _measure(self, node: Node, depth: int) -> None:
        """Counts the text that a value brings, before it is copied."""
        value = node.value
        if isinstance(value, str):
            self._spend(value)
            self.open = self.open or "${" in value
        elif isinstance(value, dict | list):
            if depth > self._limits.depth:
                raise TooLarge(deep=True)
            for child in value.values() if isinstance(value, dict) else value:
                self._measure(child, depth + 1)

    def _spend(self, text: str) -> None:
        self._text_left -= len(text)
        if len(text) > self._limits.text_bytes or self._text_left < 0:
            raise TooLarge


def at_use(target: Node, use: Node) -> Node:
    """A value as it stands where it is used: the place is the use, the place of the definition comes after it."""
    value = target.value
    if isinstance(value, dict):
        value = {key: at_use(child, use) for key, child in value.items()}
    elif isinstance(value, list):
        value = [at_use(child, use) for child in value]
    note = Note(origin=target.origin) if target.origin is not None else None
    return Node(value, use.place, target.keys, (target.span, *target.more), note)


def scalar_text(node: Node, reference: Reference) -> str:
    """A value inside a text. Raises Unresolved for what cannot be text."""
    value = node.value
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return float_in_text(value)
    if value is None:
        raise Unresolved("BND249", f"cannot put null into text: {reference.text}")
    kind = "a map" if isinstance(value, dict) else "a list"
    raise Unresolved("BND243", f"cannot put {kind} into text: {reference.text}")


def float_in_text(value: float) -> str:
    """Shortest digits; an exponent below 1e-4 and from 1e+06."""
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    digits = mantissa.lstrip("-").replace(".", "").lstrip("0")
    whole = mantissa.lstrip("-").partition(".")[0]
    if exponent:
        power = int(exponent) + len(whole) - 1
    elif whole != "0":
        power = len(whole) - 1
    else:
        fraction = mantissa.partition(".")[2]
        power = -(len(fraction) - len(fraction.lstrip("0")) + 1) if fraction.strip("0") else 0
    if -4 <= power < 6 or not digits.strip("0"):
        return format(value, "f").rstrip("0").rstrip(".") if exponent else text.removesuffix(".0")
    digits = digits.rstrip("0") or "0"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{'-' if value < 0 else ''}{digits[0]}{fraction}e{'+' if power >= 0 else '-'}{abs(power):02d}"


def step_text(steps: Iterable[str | int]) -> str:
    """Steps of a reference as they are written: var.x[0]."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
