"""One value of a file changes and nothing else: table of forms, and any scalar of any file (hypothesis)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.config.node import Node, lookup, plain, walk_scalars
from bundlectl.config.request import DEFAULT_LIMITS
from bundlectl.config.writer import set_element, set_member, set_value
from bundlectl.config.writer_tree import LIST, MAP, SCALAR, CannotWrite
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.location import FieldPath
from bundlectl.model.plan import ABSENT

FILE = "databricks.yml"


def tree(data: bytes, file: str = FILE) -> Node:
    read = read_yaml(data, file, DEFAULT_LIMITS)
    assert read.node is not None and not read.findings, read.findings
    return read.node


def put(text: str, path: FieldPath, value: Any, file: str = FILE) -> str:
    """The text with the value at a path set, or a member or element of the map or list above it."""
    data = text.encode()
    node = lookup(tree(data, file), path)
    if node is not None and value is not ABSENT:
        kind = MAP if node.is_map else LIST if node.is_list else SCALAR
        return set_value(data, file, node.span, kind, value).decode()
    holder = lookup(tree(data, file), path[:-1])
    assert holder is not None
    step = path[-1]
    if isinstance(step, str):
        return set_member(data, file, holder.span, step, value).decode()
    assert isinstance(step, int)
    return set_element(data, file, holder.span, step if value is ABSENT else None, value).decode()


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        # in the style of what was there
        ("a: 1 # one\nb: 2\n", ("a",), 2, "a: 2 # one\nb: 2\n"),
        ("a:   x   # c\n", ("a",), "y z", "a:   y z   # c\n"),
        ("a: x\n", ("a",), "y: z", 'a: "y: z"\n'),
        ("a: x\n", ("a",), "1", 'a: "1"\n'),
        ("a: x\n", ("a",), "on", 'a: "on"\n'),
        ("a: x\n", ("a",), "./b.py", "a: ./b.py\n"),
        ("a: x\n", ("a",), "", 'a: ""\n'),
        ("a: x\n", ("a",), "${var.b}", "a: ${var.b}\n"),
        ("{a: x}\n", ("a",), "${var.b}", '{a: "${var.b}"}\n'),
        ("a: 'x'\n", ("a",), "it's", "a: 'it''s'\n"),
        ("a: 'x'\n", ("a",), "two\nlines", 'a: "two\\nlines"\n'),
        ('a: "x"\n', ("a",), 'say "no"\t\x07', 'a: "say \\"no\\"\\t\\u0007"\n'),
        ('a: "x"\n', ("a",), 5, "a: 5\n"),
        ("a: 1\n", ("a",), True, "a: true\n"),
        ("a: 1\n", ("a",), None, "a: null\n"),
        ("a: 1\n", ("a",), 0.5, "a: 0.5\n"),
        ("a:\nb: 1\n", ("a",), "x", "a: x\nb: 1\n"),
        ("a: # c\nb: 1\n", ("a",), "x", "a: x # c\nb: 1\n"),
        ("a: &k 1\nb: *k\n", ("a",), 2, "a: &k 2\nb: *k\n"),
        ("a: first\n  second\nb: 1\n", ("a",), "x", "a: x\nb: 1\n"),
        ("a: x", ("a",), "w", "a: w"),
        ("a: x\r\nb: y\r\n", ("a",), "z", "a: z\r\nb: y\r\n"),
        ("a: é # ü\nb: [ö, {c: ä}]\n", ("b", 1, "c"), "ß", "a: é # ü\nb: [ö, {c: ß}]\n"),
        # text of several lines
        ("a: |\n  x\n  y\n\nb: 1\n", ("a",), "z\nw\n", "a: |\n  z\n  w\n\nb: 1\n"),
        ("a: |-\n    x\nb: 1\n", ("a",), "z\nw", "a: |-\n    z\n    w\nb: 1\n"),
        ("a: |\n  x\nb: 1\n", ("a",), "one", "a: one\nb: 1\n"),
        ("a: >\n  x\n  y\nb: 1\n", ("a",), " z\nw", 'a: " z\\nw"\nb: 1\n'),
        # members
        ("a:\n  b: 1 # c\nd: 2\n", ("a", "e"), "x", "a:\n  b: 1 # c\n  e: x\nd: 2\n"),
        ("a:\n  b: 1", ("a", "e"), [1, 2], "a:\n  b: 1\n  e: [1, 2]\n"),
        ("a: {b: 1}\n", ("a", "e"), {"f": 2}, "a: {b: 1, e: {f: 2}}\n"),
        ("a: {}\n", ("a", "e"), 1, "a: {e: 1}\n"),
        ("- a: 1\n  b: 2\n- c\n", (0, "e"), 3, "- a: 1\n  b: 2\n  e: 3\n- c\n"),
        ("a:\n  b: |\n    t\n\nd: 1\n", ("a", "e"), 1, "a:\n  b: |\n    t\n\n  e: 1\nd: 1\n"),
        (
            "a:\n  b: 1\n",
            ("a", "e"),
            {"f": {"g": 1}, "h": [{"i": 1, "j": 2}, {"i": 3}]},
            "a:\n  b: 1\n  e:\n    f:\n      g: 1\n    h:\n      - i: 1\n        j: 2\n      - i: 3\n",
        ),
        ("a:\n  # on b\n  b: 1 # c\n  d: 2\n", ("a", "b"), ABSENT, "a:\n  # on b\n  d: 2\n"),
        (
            "a:\n  b:\n    c: 1\n    d: 2\n  # after\ne: 1\n",
            ("a", "b", "d"),
            ABSENT,
            "a:\n  b:\n    c: 1\n  # after\ne: 1\n",
        ),
        ("a: {b: 1, c: 2}\n", ("a", "b"), ABSENT, "a: {c: 2}\n"),
        ("a: {b: 1, c: 2}\n", ("a", "c"), ABSENT, "a: {b: 1}\n"),
        ("a: {b: 1}\n", ("a", "b"), ABSENT, "a: {}\n"),
        ("a:\n  b: 1\nc: 1\n", ("a", "b"), ABSENT, "a:\n  {}\nc: 1\n"),
        ("- a: 1\n  b: 2\n", (0, "a"), ABSENT, "- b: 2\n"),
        # elements
        ("a:\n  - b: 1\n    # c\n  - d\n", ("a", 0), ABSENT, "a:\n    # c\n  - d\n"),
        ("a:\n- b\n- c # d\ne: 1\n", ("a", 9), "f", "a:\n- b\n- c # d\n- f\ne: 1\n"),
        ("a:\n  - b\n", ("a", 9), {"t": "x", "u": {"v": 1}}, "a:\n  - b\n  - t: x\n    u:\n      v: 1\n"),
        ("a: [b, c]\n", ("a", 0), ABSENT, "a: [c]\n"),
        ("a: []\n", ("a", 0), "x", "a: [x]\n"),
        # lists and maps as a whole: what is equal stays as it is written
        ("a:\n  - b # one\n  - c\n  - d # three\n", ("a",), ["b", "x", "d"], "a:\n  - b # one\n  - x\n  - d # three\n"),
        ("a:\n  - b # one\n  - d # three\n", ("a",), ["b", "c", "d"], "a:\n  - b # one\n  - c\n  - d # three\n"),
        ("a:\n  - b\n  - c\n", ("a",), ["x", "b", "c"], "a:\n  - x\n  - b\n  - c\n"),
        ("a: [ b,  c ]\n", ("a",), ["b", "d", "e"], "a: [ b,  d, e ]\n"),
        ("a: [b, c]\n", ("a",), "x", "a: x\n"),
        ("a: x\n", ("a",), ["b", 1], "a: [b, 1]\n"),
        ("a:\n  b: 1 # c\n  d: 2\n", ("a",), {"d": 2, "b": 3, "e": 4}, "a:\n  b: 3 # c\n  d: 2\n  e: 4\n"),
    ],
)
def test_forms(before: str, path: FieldPath, value: Any, after: str) -> None:
    assert put(before, path, value) == after


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ('{"a": {"b": "x"}}\n', ("a", "b"), "y", '{"a": {"b": "y"}}\n'),
        ('{"a": {"b": "x"}}\n', ("a", "c"), [True, "\U0001d173"], '{"a": {"b": "x", "c": [true, "\U0001d173"]}}\n'),
    ],
)
def test_a_json_file_stays_one(before: str, path: FieldPath, value: Any, after: str) -> None:
    assert put(before, path, value, "databricks.json") == after


def test_a_mark_at_the_begin_of_a_file_stays() -> None:
    data = b"\xef\xbb\xbfa: 1\n"
    node = lookup(tree(data), ("a",))
    assert node is not None
    assert set_value(data, FILE, node.span, SCALAR, 2) == b"\xef\xbb\xbfa: 2\n"


@pytest.mark.parametrize(
    ("before", "path", "value", "why"),
    [
        ("a:\n  - 1 # one\n  - 2\n", ("a",), 5, "comments"),
        ("a:\n  b: 1\n  # on c\n  c: 2\n", ("a",), [], "comments"),
        ("a: | # c\n  x\n", ("a",), "y", "comment"),
        ("a: [b, # c\n  d]\n", ("a", 0), ABSENT, "comment"),
        ("- a: 1 # c\n  b: 2\n", (0, "a"), ABSENT, "comment"),
        ("k: &k {a: 1}\nb: {<<: *k}\n", ("b",), {"z": 1}, "merged"),
        ("- - a\n  - b\n- c\n", (0, 0), ABSENT, "form"),
        ('a: "x"\n', ("a",), "half \ud800", "half"),
    ],
)
def test_what_would_lose_something_is_refused(before: str, path: FieldPath, value: Any, why: str) -> None:
    with pytest.raises(CannotWrite, match=why):
        put(before, path, value)


def test_a_file_that_changed_since_is_refused() -> None:
    data = b"a: 1\nb: 2\n"
    node = lookup(tree(data), ("b",))
    assert node is not None
    for other in (
        b"# new\n# a\na: 1\nb: 2\n",
        b"a: 1\n",
        b"a: 1\nb: [2]\n",
        b"a: \xff\n",
        b"a: [\n",
        b"1: 2\n? [a]\n: b\n",
    ):
        with pytest.raises(CannotWrite):
            set_value(other, FILE, node.span, SCALAR, 3)


# Any file ------------------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Co")), max_size=12)
scalars = st.one_of(
    words,
    st.sampled_from(
        ["a b", "true", "no", "1.5", "~", "- x", "x: y", "a #b", "'", '"', "${var.a}", "two\nlines\n", "[x"]
    ),
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
keys = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=3)  # "true" and "null" are no keys
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A document as somebody might write it: blocks and brackets, any quoting, comments, blank lines."""

    def quoted(value: Any, *, inline: bool) -> str:
        text = str(value)
        forms = ['"' + "".join(_escaped(c) for c in text) + '"']
        if text.isprintable():
            forms.append("'" + text.replace("'", "''") + "'")
        if text.isascii() and text.isalpha() and text.lower() not in ("true", "false", "null", "yes", "no"):
            forms.append(text)
        return draw(st.sampled_from(forms))

    def scalar(value: Any, *, inline: bool) -> str:
        if isinstance(value, str):
            return quoted(value, inline=inline)
        return (
            {None: "null", True: "true", False: "false"}.get(value, repr(value))
            if not isinstance(value, int | float) or isinstance(value, bool)
            else repr(value)
        )

    def flow(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{name}: {flow(item)}" for name, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(flow(item) for item in value) + "]"
        return scalar(value, inline=True)

    def end() -> str:
        return draw(st.sampled_from(["\n", "\n", " # c\n", "  # [x\n", "\n\n", "\n# own line\n"]))

    def below(value: Any, indent: int) -> str:
        """What stands after a key or a dash."""
        if isinstance(value, dict | list) and value and draw(st.booleans()):
            return end() + block(value, indent + draw(st.integers(1, 4)))
        return " " + flow(value) + end()

    def block(value: Any, indent: int) -> str:
        pad = " " * indent
        if isinstance(value, dict):
            return "".join(f"{pad}{name}:{below(item, indent)}" for name, item in value.items())
        return "".join(f"{pad}-{below(item, indent)}" for item in value)

    return block(draw(documents), 0)


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: strict(item) for name, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return (type(value), value)


def replaced(value: Any, path: FieldPath, new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {name: replaced(item, path[1:], new) if name == path[0] else item for name, item in value.items()}
    return [replaced(item, path[1:], new) if at == path[0] else item for at, item in enumerate(value)]


@given(files(), scalars, st.data())
def test_only_the_scalar_changes(text: str, value: Any, data: st.DataObject) -> None:
    node = tree(text.encode())
    scalar_nodes = list(walk_scalars(node))
    if not scalar_nodes:
        return
    path, old = data.draw(st.sampled_from(scalar_nodes))
    after = put(text, path, value)
    assert strict(plain(tree(after.encode()))) == strict(replaced(plain(node), path, value))
    # Everything before the value and everything after it is as it was, byte for byte.
    span = old.span
    lines = text.split("\n")
    begin = sum(len(line) + 1 for line in lines[: span.line - 1]) + span.column - 1
    finish = sum(len(line) + 1 for line in lines[: span.end_line - 1]) + span.end_column - 1
    rest = text[finish:] if old.value is not None or text[begin:finish].strip() else text[begin:]
    assert after.startswith(text[:begin]) and after.endswith(rest)
    assert put(after, path, value) == after


@given(files(), keys, st.data())
def test_a_member_that_is_added_and_taken_away_leaves_no_trace(text: str, key: str, data: st.DataObject) -> None:
    node = tree(text.encode())
    maps = [(), *(path for path, value in _maps(plain(node)) if value)]
    path = data.draw(st.sampled_from(maps))
    holder = lookup(node, path)
    assert holder is not None
    if key in holder.value:
        return
    value = data.draw(st.one_of(scalars, st.lists(scalars, max_size=2)))
    added = put(text, (*path, key), value)
    assert strict(plain(tree(added.encode()))) == strict(
        replaced(plain(node), path, {**plain(holder), key: value}) if path else {**plain(node), key: value}
    )
    back = put(added, (*path, key), ABSENT)
    assert back in (text, text + "\n")


def _maps(value: Any, path: FieldPath = ()) -> list[tuple[FieldPath, Any]]:
    found = [(path, value)] if isinstance(value, dict) and path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        found += _maps(item, (*path, step))
    return found
