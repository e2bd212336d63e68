"""Plan files that somebody got hold of: 1,000 mutations, each refused by a deploy that writes nothing."""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bundlectl.model.errors import BundlectlError
from bundlectl.model.plan_document import changes_digest, document_digest, plan_document
from bundlectl.operations.context import OperationContext
from bundlectl.operations.deploy import DeployRequest, deploy
from bundlectl.operations.plan import make_plan
from bundlectl.state.plan_file import save
from tests.builders import RepositoryBuilder
from tests.unit.operations.conftest import ContextMaker, bundle, new_context

__all__ = ["new_context"]

SEED = 20261125
BYTES, CUTS, EDITS = 780, 60, 160

# What is asked again at each deploy whatever the file says, or says only when and by what it was made.
FREE = {
    ("created",), ("expires",), ("tool_version",), ("guards",), ("drift",), ("diagnostics",), ("observed",),
    ("source", "ref"), ("source", "remote"), ("source", "dirty"), ("source", "dirty_paths"), ("source", "root"),
    ("source", "working_tree"), ("summary", "drift"), ("summary", "denied"), ("summary", "warned"), ("policy",),
    ("policy_source",), ("digest",), ("changes_digest",),
}  # fmt: skip
FREE_LAST = {"active_runs", "until", "origin"}

Path_ = tuple[str | int, ...]


def damaged(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """One byte other than it was; then the file cut. The line feed at the end carries nothing, and is left."""
    for _ in range(BYTES):
        at = chance.randrange(len(data) - 1)
        new = chance.choice([byte for byte in (0, 10, 34, 44, 48, 57, 65, 92, 123, 125, 255) if byte != data[at]])
        yield data[:at] + bytes([new]) + data[at + 1 :]
    for _ in range(CUTS):
        yield data[: chance.randrange(len(data) - 1)]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every member and element of a document."""
    steps: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in sorted(steps):
        here = (*path, step)
        if here not in FREE and step not in FREE_LAST:
            yield here
            yield from places(value[step], here)


def edited(document: dict[str, Any], chance: random.Random) -> Iterator[tuple[Path_, bytes]]:
    """One member other than it was, or gone, with the digests made again by somebody who knows how."""
    found = list(places(document))
    for number in range(EDITS):
        path = found[number % len(found)] if number < len(found) else chance.choice(found)
        made = json.loads(json.dumps(document))
        holder: Any = made
        for step in path[:-1]:
            holder = holder[step]
        old = holder[path[-1]]
        others = ["dev", None, 7, True, [], {}, ["x"], {"name": "x"}, "sha256:" + "0" * 64, "\n::error::x"]
        holder[path[-1]] = chance.choice([other for other in others if other != old])
        if number % 5 == 4:
            del holder[path[-1]]
        if number % 2:
            # There is none without the members that it is made of.
            with suppress(AttributeError, KeyError, TypeError):
                made["changes_digest"] = changes_digest(made)
        made["digest"] = document_digest(made)
        yield path, json.dumps(made).encode()


def refused(context: OperationContext, file: Path, data: bytes, what: object) -> BundlectlError:
    file.write_bytes(data)
    request = DeployRequest(plan_file=file, auto_approve=True, allow_destructive=True)
    try:
        deploy(context, request, lambda plan: pytest.fail("asked"))
    except BundlectlError as error:
        return error
    pytest.fail(f"applied: {what} (seed {SEED})")


def test_a_thousand_mutations_are_refused_and_write_nothing(
    repository: RepositoryBuilder, new_context: ContextMaker, tmp_path: Path
) -> None:
    repository.commit("one", {"databricks.yml": bundle(a="one", b="one")})
    deploy(new_context(), DeployRequest(auto_approve=True), lambda plan: None)
    repository.commit("two", {"databricks.yml": bundle(a="two", c="one")})
    context = new_context()
    before = make_plan(context)
    document = plan_document(before.plan)
    file = tmp_path / "plan.json"
    save(file, document)
    data = file.read_bytes()
    chance = random.Random(SEED)
    count = 0
    for number, content in enumerate(damaged(data, chance)):
        error = refused(context, file, content, number)
        assert (error.code, error.exit_code) in {("BND301", 1), ("BND302", 5), ("BND306", 5)}, (number, error.summary)
        count += 1
    for path, content in edited(document, chance):
        error = refused(context, file, content, path)
        assert error.exit_code in (1, 5, 6), (path, error.summary)
        assert error.code in {"BND301", "BND302", "BND303", "BND304", "BND305", "BND306", "BND309", "BND310"}, (
            path,
            error,
        )
        count += 1
    assert count == 1_000
    after = make_plan(context)
    assert after.recorded.version == before.recorded.version
    assert after.observed == before.observed
    assert plan_document(after.plan)["changes_digest"] == document["changes_digest"]
    # And the file itself, untouched, is applied.
    file.write_bytes(data)
    request = DeployRequest(plan_file=file, auto_approve=True, allow_destructive=True)
    assert deploy(context, request, lambda plan: None).is_complete
