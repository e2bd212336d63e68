"""YAML text -> Node, built from the events of PyYAML's C parser: places, core schema, limits, duplicate and merge keys.

Called by config.reading for bundle files, by config.variables for files of values. The only module that knows PyYAML.
Limits are checked on events, before anything is built from them; every tag is refused, nothing is made by name.
"""

import functools
import re
from dataclasses import replace
from typing import Any, NamedTuple

from bundlectl.config.collector import collector_paused
from bundlectl.config.node import Node
from bundlectl.config.request import Limits
from bundlectl.config.yaml_builder import KEY_KINDS, Builder, Kinds, TooMuch
from bundlectl.config.yaml_text import BadText, decode, error
from bundlectl.model.diagnostic import Diagnostic, Severity
from bundlectl.model.location import SourceSpan


class ReadYaml(NamedTuple):
    """What a file holds: no node when it is empty or cannot be read."""

    node: Node | None
    findings: list[Diagnostic]
    empty: bool = False


def read_yaml(data: bytes, file: str, limits: Limits) -> ReadYaml:
    """One document. Never raises for what a file may hold: everything wrong with it is in `findings`."""
    try:
        text = decode(data, file, max_bytes=limits.file_bytes)
    except BadText as fault:
        return ReadYaml(None, [fault.finding])
    if file.endswith(".json") and "\\u" in text:
        text = _surrogates().sub(_one_escape, text)
    with collector_paused():
        return _read(text, file, limits)


@functools.cache
def _surrogates() -> re.Pattern[str]:
    high, low = r"\\u([dD][89abAB][0-9a-fA-F]{2})", r"\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    return re.compile(r"((?<!\\)(?:\\\\)*)" + high + low)


def _one_escape(pair: re.Match[str]) -> str:
    """JSON writes a sign beyond U+FFFF as two escapes, YAML as one. Places after it on the line move by two."""
    high, low = int(pair[2], 16), int(pair[3], 16)
    return f"{pair[1]}\\U{0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00:08x}"


def _read(text: str, file: str, limits: Limits) -> ReadYaml:
    # PyYAML takes longer to import than to read a bundle, and a plan without changes reads none.
    from yaml import events
    from yaml._yaml import CParser
    from yaml.error import YAMLError

    kinds = Kinds(
        events.ScalarEvent,
        events.MappingStartEvent,
        events.SequenceStartEvent,
        events.MappingEndEvent,
        events.SequenceEndEvent,
        events.AliasEvent,
        events.DocumentStartEvent,
    )
    builder = Builder(file, limits, text)
    parser: Any = CParser(text)
    try:
        if sum(text.count(sign) for sign in ",:\n") > limits.nodes:
            builder.count_only(CParser(text), kinds)  # so that what is too much is never built
        builder.run(parser, kinds)
    except TooMuch:
        return ReadYaml(None, builder.findings)
    except YAMLError as fault:
        builder.give_up(fault)
        return ReadYaml(None, builder.findings)
    root = builder.root
    empty = root is None or (root.value is None and not builder.findings)
    return ReadYaml(None if empty else root, builder.findings, empty)


def top_level_map(read: ReadYaml, file: str, *, root: bool) -> tuple[Node | None, list[Diagnostic]]:
    """The document as a map, and what is wrong when it is none. An empty file is an error for the root file only."""
    from_file = SourceSpan(file, 1, 1)
    if read.node is None:
        if not read.empty:
            return None, read.findings
        finding = error("BND103", "the bundle is empty" if root else "the file is empty", from_file)
        if not root:
            finding = replace(finding, severity=Severity.WARNING)
        return None, [*read.findings, finding]
    if not read.node.is_map:
        found = "a list" if read.node.is_list else _found(read.node.value)
        finding = error("BND104", f"expected a mapping, found {found}", read.node.span)
        return None, [*read.findings, finding]
    return read.node, read.findings


def _found(value: Any) -> str:
    return KEY_KINDS.get(value.__class__, "text")
