"""compose and neutral: exact inverses, and what each changes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.backends.jobs_api.documents import Owner, Places, compose, neutral
from bundlectl.base.digest import digest_document
from bundlectl.model.deployment import ownership_id
from bundlectl.model.errors import BackendError

ROOT = "/Workspace/Users/ann@example.com/.bundle/sales/dev"
PLACES = Places(ROOT, f"{ROOT}/files")
HEX = "5e0f" * 16
SNAPSHOT = f"sha256:{HEX}"
CODE = f"{ROOT}/.bundlectl/snapshots/{HEX}"
OWNER = Owner.derived("lineage-1", "dev", "etl", None)


def _spec() -> dict[str, Any]:
    return {
        "name": "etl",
        "tasks": [
            {"task_key": "a", "spark_python_task": {"python_file": f"{ROOT}/files/src/a.py", "parameters": ["x"]}},
            {"task_key": "b", "notebook_task": {"notebook_path": f"{ROOT}/files/b"}},
        ],
        "environments": [
            {"environment_key": "e", "spec": {"dependencies": [f"-r {ROOT}/files/requirements.txt", "pandas"]}}
        ],
        "permissions": [{"level": "CAN_VIEW", "user_name": "bob@example.com"}],
        "deployment": {"kind": "BUNDLE", "metadata_file_path": f"{ROOT}/state/metadata.json"},
    }


def test_composed_document_points_into_the_snapshot_and_says_whose_it_is() -> None:
    composed = compose(_spec(), PLACES, OWNER, SNAPSHOT)
    own = ownership_id("lineage-1", "dev", "etl")
    assert composed.document == {
        "name": "etl",
        "tasks": [
            {"task_key": "a", "spark_python_task": {"python_file": f"{CODE}/src/a.py", "parameters": ["x"]}},
            {"task_key": "b", "notebook_task": {"notebook_path": f"{CODE}/b"}},
        ],
        "environments": [{"environment_key": "e", "spec": {"dependencies": [f"-r {CODE}/requirements.txt", "pandas"]}}],
        "access_control_list": [{"permission_level": "CAN_VIEW", "user_name": "bob@example.com"}],
        "deployment": {"kind": "BUNDLE", "metadata_file_path": f"{ROOT}/.bundlectl/lineage-1/dev/etl.json"},
        "bundlectl": {
            "own": own,
            "lineage": "lineage-1",
            "target": "dev",
            "key": "etl",
            "snapshot": SNAPSHOT,
            "deployment": {"kind": "BUNDLE", "metadata_file_path": f"{ROOT}/state/metadata.json"},
        },
    }
    assert composed.digest == digest_document(composed.document)
    assert (composed.own, composed.key) == (own, "etl")


def test_the_given_document_is_left_alone() -> None:
    spec = _spec()
    compose(spec, PLACES, OWNER, SNAPSHOT)
    assert spec == _spec()


def test_without_a_snapshot_paths_stay() -> None:
    document = compose(_spec(), PLACES, OWNER, None).document
    assert document["tasks"][0]["spark_python_task"]["python_file"] == f"{ROOT}/files/src/a.py"
    assert "snapshot" not in document["bundlectl"]


def test_only_whole_path_steps_count() -> None:
    spec = {"description": f"{ROOT}/files-old/a", "name": f"see {ROOT}/files/a", "tags": {"f": f"{ROOT}/files"}}
    document = compose(spec, PLACES, OWNER, SNAPSHOT).document
    assert document["description"] == f"{ROOT}/files-old/a"
    assert document["name"] == f"see {ROOT}/files/a"
    assert document["tags"] == {"f": CODE}


def test_a_recorded_ownership_id_wins() -> None:
    owner = Owner.derived("lineage-1", "dev", "etl_v2", "b1-0123")
    assert compose({}, PLACES, owner, None).document["bundlectl"]["own"] == "b1-0123"


@pytest.mark.parametrize("member", ["access_control_list", "bundlectl"])
def test_members_of_ours_are_refused(member: str) -> None:
    with pytest.raises(BackendError) as caught:
        compose({member: []}, PLACES, OWNER, None)
    assert caught.value.code == "BND218"
    assert member in caught.value.summary


def test_a_path_into_published_code_is_refused() -> None:
    with pytest.raises(BackendError) as caught:
        compose({"tags": {"x": f"{CODE}/a.py"}}, PLACES, OWNER, SNAPSHOT)
    assert caught.value.code == "BND278"


def test_a_document_that_lost_our_mark_is_still_turned_back() -> None:
    document = compose(_spec(), PLACES, OWNER, SNAPSHOT).document
    del document["bundlectl"]
    back = neutral(document, PLACES)
    expected = _spec()
    del expected["deployment"]  # what was given is not known any more, and ours is not shown as the bundle's
    assert back == expected


def test_another_snapshot_stays_visible() -> None:
    """Somebody re-pointed one task by hand: that is a difference, not code of ours."""
    document = compose(_spec(), PLACES, OWNER, SNAPSHOT).document
    other = f"{ROOT}/.bundlectl/snapshots/{'0' * 64}/src/a.py"
    document["tasks"][0]["spark_python_task"]["python_file"] = other
    assert neutral(document, PLACES)["tasks"][0]["spark_python_task"]["python_file"] == other


def test_nulls_are_no_members() -> None:
    assert neutral({"name": "x", "schedule": None, "access_control_list": None}, PLACES) == {"name": "x"}


_paths = st.sampled_from(
    [
        PLACES.file_path,
        f"{PLACES.file_path}/src/a.py",
        f"{PLACES.file_path}//a",
        f"{PLACES.file_path}/",
        f"-e {PLACES.file_path}/pkg",
        f"-r {PLACES.file_path}",
        f"-r  {PLACES.file_path}/x",
        f"{ROOT}/.bundlectl/snapshots/{'1' * 64}/a.py",
        f"{ROOT}/state",
        f"{PLACES.file_path}x",
    ]
)
_floats = st.floats(allow_nan=False, allow_infinity=False, width=32)
_json = st.recursive(
    st.one_of(_paths, st.text(max_size=8), st.integers(), st.booleans(), _floats),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=20,
)
_permissions = st.lists(
    st.dictionaries(st.sampled_from(["level", "user_name", "group_name"]), st.text(max_size=5), max_size=3), max_size=3
)
_specs = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=5),
        "tasks": _json,
        "tags": _json,
        "permissions": _permissions,
        "deployment": st.dictionaries(st.sampled_from(["kind", "metadata_file_path", "x"]), _paths, max_size=3),
        "other": _json,
    },
)
_places = st.sampled_from([PLACES, Places(ROOT, ROOT), Places(ROOT, "/Workspace/code"), Places(ROOT, f"{ROOT}/f")])


@given(spec=_specs, places=_places, snapshot=st.sampled_from([None, SNAPSHOT]))
def test_neutral_is_the_inverse_of_compose(spec: dict[str, Any], places: Places, snapshot: str | None) -> None:
    assert neutral(compose(spec, places, OWNER, snapshot).document, places) == spec


@given(spec=_specs)
def test_composing_is_deterministic_and_depends_on_the_snapshot_alone(spec: dict[str, Any]) -> None:
    first = compose(spec, PLACES, OWNER, SNAPSHOT)
    assert compose(spec, PLACES, OWNER, SNAPSHOT) == first
    assert compose(spec, PLACES, OWNER, f"sha256:{'0' * 64}").digest != first.digest
