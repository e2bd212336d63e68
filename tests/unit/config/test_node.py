"""Nodes: lookup, changed copies, and places that are worked out when somebody looks."""

from bundlectl.config.node import Keys, Node, Note, from_plain, lookup, plain, set_at, span_of, walk_scalars
from bundlectl.model.location import Keyed, SourceSpan

SPAN = SourceSpan("f.yml", 1, 2, 1, 5)


class Mark:
    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column


TREE = from_plain({"tasks": [{"task_key": "a", "n": 1}, {"task_key": "b", "n": 2}], "x": None}, SPAN)


def test_lookup_by_key_index_and_natural_key() -> None:
    found = lookup(TREE, ("tasks", Keyed("task_key", "b"), "n"))
    assert found is not None
    assert found.value == 2
    assert plain(TREE) == {"tasks": [{"task_key": "a", "n": 1}, {"task_key": "b", "n": 2}], "x": None}
    for path in (("tasks", 5), ("tasks", "a"), ("tasks", Keyed("task_key", "c")), ("x", "y"), ("no",)):
        assert lookup(TREE, path) is None


def test_a_changed_copy_leaves_the_original() -> None:
    changed = TREE.with_member("y", Node(1, SPAN), SPAN)
    assert "y" not in TREE.value
    assert changed.key_span("y") == SPAN
    assert changed.value["tasks"] is TREE.value["tasks"]
    assert TREE.without("no") is TREE
    assert list(TREE.without("x").value) == ["tasks"]
    deep = set_at(TREE, ("a", "b"), Node(1, SPAN))
    assert plain(deep)["a"] == {"b": 1}
    assert plain(set_at(TREE, ("x", "b"), Node(1, SPAN)))["x"] == {"b": 1}


def test_a_place_becomes_a_span_when_it_is_read() -> None:
    place = ("f.yml", Mark(4, 2), Mark(4, 7))
    node = Node("value", place)
    assert node.file == "f.yml"
    assert node.span == SourceSpan("f.yml", 5, 3, 5, 8)
    assert node.place is node.span
    assert span_of(place) == node.span


def test_keys_give_spans_and_are_copied_with_their_places() -> None:
    keys = Keys()
    keys.add("a", ("f.yml", Mark(0, 0), Mark(0, 1)))
    copied = keys.copied()
    assert keys["a"] == copied.get("a") == SourceSpan("f.yml", 1, 1, 1, 2)
    assert copied.get("b") is None
    assert dict(copied.items()) == {"a": keys["a"]}
    assert list(copied.values()) == [keys["a"]]


def test_notes_and_scalars() -> None:
    assert Node(1, SPAN, None, (), Note(anchored=True)).anchored
    assert Node(1, SPAN, None, (), Note(origin="--var n")).origin == "--var n"
    assert [(path, node.value) for path, node in walk_scalars(TREE)][-1] == (("x",), None)
    assert "task_key" in repr(TREE)
