"""Every field of a job, from the table in fields.py: it is known, it takes its kind and no other, it is asked for."""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from bundlectl.model.diagnostic import Diagnostic, Severity
from tests.conformance.fields import FORMS, JOB, ONE_OF, TASK, TASK_TYPES, Shape
from tests.unit.config.bundles import loaded

# Findings about what fields mean together; the table is about each of them alone.
_BETWEEN = frozenset(
    {"BND231", "BND250", "BND251", "BND252", "BND254", "BND256", "BND257", "BND259", "BND269", "BND229"}
)


class Field(NamedTuple):
    """A field: the path to it (a number for an element of a list) and what it may hold."""

    path: tuple[str | int, ...]
    shape: Shape
    required: bool

    @property
    def name(self) -> str:
        return ".".join(str(step) for step in self.path if not isinstance(step, int))


def fields(shape: Mapping[str, Shape], path: tuple[str | int, ...]) -> Iterator[Field]:
    """Every field below an object."""
    for written, inner in shape.items():
        name = written.removesuffix("!")
        here = (*path, name)
        yield Field(here, inner, written.endswith("!"))
        if isinstance(inner, dict):
            yield from fields(inner, here)
        elif isinstance(inner, list) and isinstance(inner[0], dict):
            yield from fields(inner[0], (*here, 0))


FIELDS = list(fields(JOB, ()))


def value_of(shape: Shape, name: str) -> Any:
    """A value that the field takes."""
    if isinstance(shape, tuple):
        return shape[0]
    if isinstance(shape, dict):
        return complete(shape, name)
    if isinstance(shape, list):
        return [value_of(shape[0], name)]
    plain = {"t": "a", "i": 2, "b": True, "f": 2.5, "{t}": {"k": "v"}, "*": {"k": [1]}}
    return FORMS.get(name, plain[shape])


def complete(shape: Mapping[str, Shape], name: str, without: str = "", chosen: str = "") -> dict[str, Any]:
    """An object with its required fields, and one of those of which one is needed."""
    made = {
        key.removesuffix("!"): value_of(inner, key.removesuffix("!"))
        for key, inner in shape.items()
        if key.endswith("!")
    }
    made.pop(without, None)
    if name in ONE_OF:
        usual, choices = ONE_OF[name]
        choice = chosen if chosen in choices else usual
        if choice != without:
            made[choice] = value_of({key.removesuffix("!"): inner for key, inner in shape.items()}[choice], choice)
    if "task_key!" in shape and "notebook_task" in shape:
        kind = chosen if chosen in TASK_TYPES else "notebook_task"
        made[kind] = value_of(TASK_TYPES[kind], kind)
    if "task_key!" in shape and "notebook_task" not in shape and name == "task":
        made["notebook_task"] = {"notebook_path": "/n"}
    return made


def job_with(path: tuple[str | int, ...], value: Any, *, drop: bool = False) -> dict[str, Any]:
    """A job that is complete but for one field, which has the value or is missing."""
    job: dict[str, Any] = {"name": "n", "tasks": [complete(TASK, "tasks")]}
    shape: Any = JOB
    holder: Any = job
    last = ""
    for at, step in enumerate(path):
        if isinstance(step, int):
            shape, holder = shape[0], holder[0]
            continue
        known = {key.removesuffix("!"): inner for key, inner in shape.items()}
        following = next((str(name) for name in path[at + 1 :] if not isinstance(name, int)), "")
        if at == len(path) - 1:
            if drop:
                holder.pop(step, None)
            else:
                _make_room(holder, last, step, shape)
                holder[step] = value
            return job
        inner = known[step]
        _make_room(holder, last, step, shape)
        if isinstance(inner, list):
            holder[step] = [complete(inner[0], step, chosen=following)]
        else:
            holder[step] = complete(inner, step, chosen=following)
        shape, holder, last = inner, holder[step], step
    return job


def _make_room(holder: dict[str, Any], name: str, step: str, shape: Mapping[str, Shape]) -> None:
    """Takes away the choice that excludes the one to come."""
    if name in ONE_OF and step in ONE_OF[name][1]:
        for other in ONE_OF[name][1]:
            holder.pop(other, None)
    if "notebook_task" in shape and step in TASK_TYPES:
        for other in TASK_TYPES:
            holder.pop(other, None)


Told = dict[tuple[int, int], list[Diagnostic]]


def told(jobs: Mapping[tuple[int, int], dict[str, Any]], variables: Mapping[str, Any] | None = None) -> Told:
    """Findings about the fields of each job, each field for itself. One bundle holds all jobs: one load is quick."""
    named = {f"f{field}x{number}": job for (field, number), job in jobs.items()}
    content = {"bundle": {"name": "b"}, "variables": variables or {}, "resources": {"jobs": named}}
    found: Told = {key: [] for key in jobs}
    for item in loaded(json.dumps(content)).diagnostics:
        match = re.match(r"resources\.jobs\.f([0-9]+)x([0-9]+)", item.path or "")
        assert match is not None, item
        if item.code not in _BETWEEN:
            found[int(match[1]), int(match[2])].append(item)
    return found


def values_of(field: Field) -> list[Any]:
    """Values that the field takes, every value of a choice among them."""
    return list(field.shape) if isinstance(field.shape, tuple) else [value_of(field.shape, str(field.path[-1]))]


WRONG: dict[str, list[Any]] = {
    "t": [["a"], {"a": 1}],
    "i": ["a", 1.5, True, [1], {}],
    "b": ["a", 1, 1.5, [], {}],
    "f": ["a", True, [], {}],
    "{t}": ["a", 1, ["a"], {"k": ["v"]}, {"k": {}}],
    "*": ["a", 1, [1]],
}


def others_of(field: Field) -> list[Any]:
    """Values of kinds that the field does not take."""
    shape = field.shape
    if field.name.endswith("shell_task.command"):
        return [{"a": 1}, [{}]]
    if isinstance(shape, tuple):
        return WRONG["t"]
    if isinstance(shape, dict):
        return ["a", 1, True, ["a"]]
    if isinstance(shape, list):
        return ["a", 1, True, {"a": "b"}, ["a" if isinstance(shape[0], dict) else {}]]
    return WRONG[shape]


@functools.cache
def good() -> Told:
    return told(
        {(at, n): job_with(f.path, value) for at, f in enumerate(FIELDS) for n, value in enumerate(values_of(f))}
    )


@functools.cache
def referring() -> Told:
    """The same values, each by way of a variable."""
    jobs, variables = {}, {}
    for at, field in enumerate(FIELDS):
        if field.path[-1] not in ("task_key", "job_cluster_key", "environment_key", "environment_variables_key"):
            variables[f"v{at}"] = {"type": "complex", "default": values_of(field)[0]}
            jobs[at, 0] = job_with(field.path, f"${{var.v{at}}}")
    return told(jobs, variables)


@functools.cache
def of_other_kinds() -> Told:
    return told(
        {(at, n): job_with(f.path, value) for at, f in enumerate(FIELDS) for n, value in enumerate(others_of(f))}
    )


@functools.cache
def lacking() -> Told:
    return told({(at, 0): job_with(f.path, None, drop=True) for at, f in enumerate(FIELDS) if f.required})


@functools.cache
def misspelt() -> Told:
    jobs = {}
    for at, field in enumerate(FIELDS):
        name = str(field.path[-1])
        inner: Any = job_with(field.path, value_of(field.shape, name))
        jobs[at, 0] = inner
        for step in field.path[:-1]:
            inner = inner[step]
        inner[name + "q"] = inner.pop(name)
    return told(jobs)


@functools.cache
def with_other_choices() -> Told:
    choices = [(at, field) for at, field in enumerate(FIELDS) if isinstance(field.shape, tuple)]
    later = "${artifacts.a.files[0].remote_path}"  # not known before the build, so not judged
    return told({
        **{(at, 0): job_with(field.path, "OTHER_THING") for at, field in choices},
        **{(at, 1): job_with(field.path, later) for at, field in choices},
    })  # fmt: skip


EVERY = pytest.mark.parametrize("at", range(len(FIELDS)), ids=[field.name for field in FIELDS])


def some(wanted: Callable[[Field], bool]) -> pytest.MarkDecorator:
    rows = [(at, field.name) for at, field in enumerate(FIELDS) if wanted(field)]
    return pytest.mark.parametrize("at", [at for at, _ in rows], ids=[name for _, name in rows])


def test_the_table_is_whole() -> None:
    assert len(FIELDS) > 380
    assert len({field.path for field in FIELDS}) == len(FIELDS)


@EVERY
def test_a_field_takes_what_it_is_for(at: int) -> None:
    assert [item for n in range(len(values_of(FIELDS[at]))) for item in good()[at, n]] == []


@some(lambda field: not str(field.path[-1]).endswith("_key"))
def test_a_field_takes_a_reference_to_such_a_value(at: int) -> None:
    assert referring()[at, 0] == []


@EVERY
def test_a_field_takes_no_other_kind(at: int) -> None:
    for number, value in enumerate(others_of(FIELDS[at])):
        errors = [item for item in of_other_kinds()[at, number] if item.severity is Severity.ERROR]
        assert [item.code for item in errors] in (["BND203"], ["BND209"]), value
        assert errors[0].spans


@some(lambda field: field.required)
def test_a_required_field_is_asked_for(at: int) -> None:
    findings = lacking()[at, 0]
    assert [(item.code, item.severity) for item in findings] == [("BND205", Severity.PLAN_ERROR)]
    assert findings[0].summary == f'required field "{FIELDS[at].path[-1]}" is not set'


@some(lambda field: isinstance(field.shape, tuple))
def test_a_choice_has_no_other_value(at: int) -> None:
    (finding,) = with_other_choices()[at, 0]
    assert (finding.code, finding.severity) == ("BND206", Severity.PLAN_ERROR)
    assert finding.summary.startswith('"OTHER_THING" is not one of ')
    assert with_other_choices()[at, 1] == []


@EVERY
def test_a_name_with_a_slip_is_pointed_out(at: int) -> None:
    errors = [item for item in misspelt()[at, 0] if item.code == "BND204"]
    assert len(errors) == 1
    assert f'unknown field "{FIELDS[at].path[-1]}q"' in errors[0].summary
    assert errors[0].detail is not None
    assert f'"{FIELDS[at].path[-1]}"' in errors[0].detail
