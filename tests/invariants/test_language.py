"""What must hold for every bundle of the language: how it is written does not matter, and nothing in it runs away."""
# ruff: noqa: E501  (lists of odd texts)

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bundlectl.config.loader import load
from bundlectl.config.request import Limits, Loaded, LoadRequest
from bundlectl.model.diagnostic import Severity
from tests.unit.config.bundles import MemoryTree

Tree = dict[str, Any]
REQUEST = LoadRequest(user="tester@x.com")
KEYS = st.sampled_from(["a", "b", "load", "report", "j1", "x-y", "long_name"])
# Texts that YAML might take for something else when they are not quoted.
TEXTS = st.sampled_from(
    ["plain", "yes", "NO", "null", "~", "12", "1e5", "0x1F", "2024-01-01", "12:30", "", " a", "a: b", "# c", "- d", "é🙂",
     "*x", "&x", "!x", "@x", "`x", "{{job.id}}", "'q'", '"q"', "a\nb", "a\tb", "<<", "on", ".5", "%x", "?", "|", ">"]
)  # fmt: skip
REFERENCES = st.sampled_from(["${var.v}", "a ${var.v} b", "${bundle.name}", "${workspace.file_path}/x", "${var.m.k}"])


@st.composite
def tasks(draw: st.DrawFn) -> list[Tree]:
    """Up to four tasks, each perhaps after the one before it."""
    made: list[Tree] = []
    for key in draw(st.lists(KEYS, min_size=1, max_size=4, unique=True)):
        task: Tree = {"task_key": key}
        kind = draw(st.integers(0, 2))
        if kind == 0:
            task["notebook_task"] = {"notebook_path": "/n", "base_parameters": {"p": draw(TEXTS)}}
        elif kind == 1:
            task["condition_task"] = {
                "op": "EQUAL_TO",
                "left": draw(TEXTS),
                "right": draw(st.one_of(TEXTS, REFERENCES)),
            }
        else:
            task["shell_task"] = {"command": ["echo", draw(st.one_of(TEXTS, REFERENCES))]}
        if draw(st.booleans()) and made:
            task["depends_on"] = [{"task_key": made[-1]["task_key"]}]
        if draw(st.booleans()):
            task["max_retries"] = draw(st.integers(-1, 5000))
        made.append(task)
    return made


@st.composite
def bundles(draw: st.DrawFn) -> Tree:
    """A bundle that loads: variables, jobs, a target with a word about one of them."""
    jobs: Tree = {}
    for key in draw(st.lists(KEYS, min_size=1, max_size=4, unique=True)):
        job: Tree = {"name": draw(st.one_of(REFERENCES, st.just("n"))), "tasks": draw(tasks())}
        if draw(st.booleans()):
            job["tags"] = draw(st.dictionaries(st.sampled_from(["t", "u", "null", "on", "1"]), TEXTS, max_size=3))
        if draw(st.booleans()):
            job["parameters"] = [{"name": name, "default": draw(TEXTS)} for name in ("p", "q")]
        if draw(st.booleans()):
            job["max_concurrent_runs"] = draw(st.integers(1, 1000))
        jobs[key] = job
    made: Tree = {
        "bundle": {"name": "b"},
        "variables": {"v": {"default": draw(TEXTS)}, "m": {"type": "complex", "default": {"k": draw(TEXTS)}}},
        "resources": {"jobs": jobs},
    }
    if draw(st.booleans()):
        key = draw(st.sampled_from(sorted(jobs)))
        made["targets"] = {"d": {"resources": {"jobs": {key: {"timeout_seconds": draw(st.integers(0, 9))}}}}}
    if draw(st.booleans()):
        made["presets"] = {"tags": {"team": draw(TEXTS)}}
    return made


def meaning(result: Loaded) -> Tree:
    """What a bundle says, without the list of its files."""
    assert result.bundle is not None, list(result.diagnostics)
    document = result.document
    assert document is not None
    return {
        "shown": {name: value for name, value in document.items() if name != "include"},
        "sent": {key: (spec.document, spec.digest) for key, spec in result.specs.items()},
        "found": sorted((item.code, item.path or "", item.summary) for item in result.diagnostics),
    }


def loaded(files: Mapping[str, str]) -> Loaded:
    return load(MemoryTree(files), REQUEST)


def as_json(tree: Any) -> str:
    return json.dumps(tree, ensure_ascii=False)


def written(value: Any) -> str:
    """A scalar, or an empty list or map, that is the same in JSON and in YAML."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\x7f")


def in_blocks(tree: Any, indent: int = 0, step: int = 2) -> str:
    """Maps and lists as blocks."""
    space = " " * indent
    if isinstance(tree, dict) and tree:
        return "".join(
            f"{space}{written(key)}: {written(value)}\n"
            if not isinstance(value, dict | list) or not value
            else f"{space}{written(key)}:\n{in_blocks(value, indent + step, step)}"
            for key, value in tree.items()
        )
    if isinstance(tree, list) and tree:
        return "".join(
            f"{space}- {written(value)}\n"
            if not isinstance(value, dict | list) or not value
            else f"{space}-\n{in_blocks(value, indent + step, step)}"
            for value in tree
        )
    return f"{space}{written(tree)}\n"


def with_anchors(tree: Any) -> str:
    """A bundle that says what it repeats once: equal texts as aliases of the first."""
    seen: dict[str, str] = {}

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{written(key)}: {text(child)}" for key, child in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(text, value)) + "]"
        if isinstance(value, str) and value in seen:
            return f"*{seen[value]} "
        if isinstance(value, str):
            seen[value] = f"a{len(seen)}"
            return f"&{seen[value]} {written(value)}"
        return written(value)

    return text(tree)


STYLES: dict[str, tuple[Callable[[Any], str], str]] = {
    "escaped json": (json.dumps, "a.json"),
    "indented json": (lambda tree: json.dumps(tree, indent=1, ensure_ascii=False), "a.json"),
    "blocks": (in_blocks, "a.yml"),
    "wide blocks": (lambda tree: in_blocks(tree, step=5), "a.yaml"),
    "windows lines": (lambda tree: "\ufeff---\r\n" + in_blocks(tree).replace("\n", "\r\n") + "...\r\n", "a.yml"),
    "anchors": (with_anchors, "a.yml"),
}


@settings(max_examples=30, deadline=None)
@given(tree=bundles())
def test_a_bundle_means_the_same_in_every_style(tree: Tree) -> None:
    wanted = meaning(loaded({"databricks.yml": as_json(tree)}))
    for style, (write, file) in STYLES.items():
        named = {**tree, "bundle": {"name": "b"}}
        files = {"databricks.yml": as_json({"bundle": named.pop("bundle"), "include": [file]}), file: write(named)}
        assert meaning(loaded(files)) == wanted, style


def shuffled(tree: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """The same with keys of maps in another order; lists keep theirs."""
    if isinstance(tree, dict):
        return {key: shuffled(tree[key], draw) for key in draw(st.permutations(list(tree)))}
    return [shuffled(item, draw) for item in tree] if isinstance(tree, list) else tree


@settings(max_examples=60, deadline=None)
@given(tree=bundles(), data=st.data())
def test_the_order_of_keys_does_not_matter(tree: Tree, data: st.DataObject) -> None:
    other = shuffled(tree, data.draw)
    assert meaning(loaded({"databricks.yml": as_json(other)})) == meaning(loaded({"databricks.yml": as_json(tree)}))


@settings(max_examples=60, deadline=None)
@given(tree=bundles(), data=st.data())
def test_the_split_into_files_does_not_matter(tree: Tree, data: st.DataObject) -> None:
    root = copy.deepcopy(tree)
    files: dict[str, Tree] = {}
    for key in list(root["resources"]["jobs"]):
        if data.draw(st.booleans()):
            number = data.draw(st.integers(0, 2))
            part = files.setdefault(f"r/{number}.yml", {"resources": {"jobs": {}}})
            part["resources"]["jobs"][key] = root["resources"]["jobs"].pop(key)
    for name in ("variables", "presets", "targets"):
        if name in root and data.draw(st.booleans()):
            files[f"r/{name}.json"] = {name: root.pop(name)}
    root["include"] = ["r/*.yml", "r/*.json"]
    split = {"databricks.yml": as_json(root), **{path: as_json(part) for path, part in files.items()}}
    kept = [row for row in meaning(loaded(split))["found"] if row[0] != "BND131"]  # a pattern may match nothing
    assert {**meaning(loaded(split)), "found": kept} == meaning(loaded({"databricks.yml": as_json(tree)}))


@settings(max_examples=60, deadline=None)
@given(tree=bundles())
def test_what_is_printed_is_a_bundle_of_the_same_jobs(tree: Tree) -> None:
    tree.pop("presets", None)
    first = loaded({"databricks.yml": as_json(tree)})
    assume(not any(item.severity is Severity.PLAN_ERROR for item in first.diagnostics))  # a name may come out empty
    printed = json.loads(json.dumps(first.document))
    again = {
        "bundle": {"name": printed["bundle"]["name"]},
        "resources": printed["resources"],
        "workspace": {name: text for name, text in printed["workspace"].items() if name != "current_user"},
    }
    second = loaded({"databricks.yml": as_json(again)})
    assert {key: spec.document for key, spec in second.specs.items()} == {
        key: spec.document for key, spec in first.specs.items()
    }


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(tree, dict | list):
        for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(child, (*path, key))


JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), TEXTS, REFERENCES,
    st.sampled_from(["${", "${var.", "${var.v[0]}", "${resources.jobs.a.id}", "${resources.jobs.a.tasks[0]}", "../../x", "C:\\x"]),
    st.lists(TEXTS, max_size=2), st.dictionaries(KEYS, TEXTS, max_size=2),
    st.sampled_from([{"task_key": "a"}, [{"task_key": "a"}, {"task_key": "a"}], {"default": None}, [[[]]], {"jobs": {"x": None}}]),
)  # fmt: skip


def changed(tree: Any, path: tuple[Any, ...], how: int, value: Any) -> Any:
    """A tree with a value put elsewhere, taken away, renamed or doubled."""
    if not path:
        return value
    copied = copy.deepcopy(tree)
    holder = copied
    for step in path[:-1]:
        holder = holder[step]
    last = path[-1]
    if how == 0:
        holder[last] = value
    elif how == 1:
        del holder[last]
    elif isinstance(holder, list):
        holder.insert(last, copy.deepcopy(holder[last]))
    else:
        holder[f"{last}x"] = holder.pop(last) if how == 2 else copy.deepcopy(holder[last])
    return copied


def bearable(tree: Tree) -> None:
    """Loads a bundle that may be broken: it means something, or errors say where and why."""
    text = in_blocks(tree)
    result = loaded({"databricks.yml": text})
    errors = [item for item in result.diagnostics if item.severity is Severity.ERROR]
    assert (result.bundle is None) == bool(errors)
    lines = text.count("\n") + 1
    for item in result.diagnostics:
        assert item.summary
        assert all(span.file == "databricks.yml" and 0 <= span.line <= lines + 1 for span in item.spans), item
    for item in errors:
        assert item.spans, item
    json.dumps(result.document)


@settings(max_examples=150, deadline=None)
@given(tree=bundles(), data=st.data())
def test_a_bundle_with_changed_structure_loads_or_says_why(tree: Tree, data: st.DataObject) -> None:
    broken: Any = tree
    for _ in range(data.draw(st.integers(1, 3))):
        assume(isinstance(broken, dict | list) and broken)
        path = data.draw(st.sampled_from([path for path in places(broken) if path]))
        broken = changed(broken, path, data.draw(st.integers(0, 3)), data.draw(JUNK))
    bearable(broken)


SMALL = Limits(text_bytes=2_000, all_text_bytes=20_000, depth=12)
PIECES = st.sampled_from(
    ["${var.a}", "${var.b}", "${var.c}", "${var.d}", "${var.${var.n}}", "${var.m.x}", "${var.m.y[0]}", "${var.l[1]}", "${var.l}",
     "${var.m}", "a", "b", "var.", "${", "}", "x", "${bundle.name}", "${workspace.root_path}", "${var.a_${var.n}}"]
)  # fmt: skip
TEMPLATES = st.lists(PIECES, max_size=6).map("".join)
VALUES = st.one_of(
    TEMPLATES, st.integers(-5, 5), st.booleans(),
    st.lists(TEMPLATES, max_size=3), st.fixed_dictionaries({"x": TEMPLATES, "y": st.lists(TEMPLATES, min_size=1, max_size=2)}),
)  # fmt: skip


def size_of(tree: Any) -> int:
    if isinstance(tree, str):
        return len(tree)
    if isinstance(tree, dict | list):
        return sum(size_of(child) for child in (tree.values() if isinstance(tree, dict) else tree))
    return 0


@settings(max_examples=150, deadline=None)
@given(values=st.fixed_dictionaries(dict.fromkeys(("a", "b", "c", "d", "l", "m", "n", "a_a"), VALUES)), used=TEMPLATES)
def test_interpolation_ends_and_stays_within_its_limits(values: Mapping[str, Any], used: str) -> None:
    tree = {
        "bundle": {"name": "b"},
        "variables": {name: {"default": value} for name, value in values.items()},
        "resources": {"jobs": {"j": {"description": used, "tags": {"t": used}}}},
    }
    result = load(MemoryTree({"databricks.yml": as_json(tree)}), LoadRequest(user="tester@x.com", limits=SMALL))
    errors = {item.code for item in result.diagnostics if item.severity is Severity.ERROR}
    if errors:
        assert result.bundle is None
        return
    document = result.document
    assert document is not None
    # Twice: a variable shows its default and its value.
    assert size_of(document["variables"]) <= 2 * SMALL.all_text_bytes + len(as_json(tree))
    assert all(size_of(one.get("value")) <= SMALL.all_text_bytes for one in document["variables"].values())
