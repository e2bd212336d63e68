"""Files of a state commit: exact on the way out, exact on the way in."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.base.digest import sha256_hex
from bundlectl.base.identifiers import time_ordered_id
from bundlectl.model.backend import BackendIdentity
from bundlectl.model.codec import DocumentError, stored
from bundlectl.model.deployment import Deployed, DeployedJob, Deployment
from bundlectl.state import layout
from bundlectl.state.layout import NewerFormat, decode, decode_index, encode_index, encode_meta

D = "sha256:" + "0a" * 32
ID = "0198c5d2-0000-7000-8000-000000000000"
JOB = DeployedJob("8123", D, D, D, ID)

FULL = Deployment(
    lineage="2f5c0000-0000-4000-8000-000000000001",
    serial=42,
    fence=43,
    bundle="sales data",
    target="prod",
    backend=BackendIdentity(kind="databricks", host="https://x", workspace_id="1"),
    deployed=Deployed(
        deployment=ID, commit="c" * 40, tree="d" * 40, dirty=False, snapshot=D, code_tree="e" * 40, config_digest=D
    ),
    jobs={"etl": JOB},
    protection={"target": {"since": "2026-11-23T10:00:00Z", "by": "ann"}},
    hold={"deployment": ID, "why": "bad"},
    debt=("audit",),
    snoozes={"x": {"until": "2027-01-01T00:00:00Z"}},
    previous="f" * 40,
)


def test_the_index_has_one_line_per_job_in_order() -> None:
    text = encode_index({"b": JOB, "a": JOB._replace(snapshot=None)}).decode()
    assert text.split("\n") == [
        '{"format":1,"jobs":{',
        f'"a":{{"deployment":"{ID}","id":"8123","sent":"{D}","snapshot":null,"spec":"{D}"}},',
        f'"b":{{"deployment":"{ID}","id":"8123","sent":"{D}","snapshot":"{D}","spec":"{D}"}}',
        "}}",
        "",
    ]
    json.loads(text)
    assert encode_index({}) == b'{"format":1,"jobs":{}}\n'


keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
hexes = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__)
jobs = st.builds(
    DeployedJob,
    id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=6),
    spec=hexes,
    sent=hexes,
    snapshot=st.none() | hexes,
    deployment=st.just(ID),
    own=st.none() | st.just("b1-" + "0" * 40),
    tombstone=st.none()
    | st.dictionaries(st.sampled_from(["since", "until"]), st.text(st.characters(codec="utf-8"), max_size=4)),
)


@given(st.dictionaries(keys, jobs, max_size=6))
def test_any_index_round_trips(index: dict[str, DeployedJob]) -> None:
    data = encode_index(index)
    assert decode_index(data) == index
    assert list(decode_index(data)) == sorted(index)
    json.loads(data)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), jobs, min_size=1), st.data())
def test_a_mutated_index_is_refused_or_says_what_it_says(index: dict[str, DeployedJob], data: st.DataObject) -> None:
    """Whatever is accepted is canonical: it encodes to the very same bytes."""
    original = bytearray(encode_index(index))
    for _ in range(data.draw(st.integers(1, 3))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode_index(bytes(original))
    except DocumentError:
        return
    assert encode_index(found) == bytes(original)


LINE = encode_index({"a": JOB}).decode().split("\n")[1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"{LINE},\n{LINE}", "given twice"),
        (f"{LINE.replace('a', 'b', 1)},\n{LINE}", "not in order"),
        (LINE.replace("0a0a", "0A0A", 1), "spec|sent|snapshot"),
        (LINE.replace('"id":"8123"', '"id":8123'), "id: expected text, found an integer"),
        (LINE.replace('"id":"8123",', ""), "id: missing"),
        (LINE.replace('"id":', '"x":1,"id":'), "x: unknown member"),
        (LINE.replace('"id":"8123"', '"id": "8123"'), "not in canonical form"),
        (LINE.replace(ID, "../../etc"), "deployment"),
        (LINE.replace('"a"', '"\\u0061"'), "not in canonical form"),
        (LINE.replace('"a"', '""'), "not in canonical form"),
        (LINE[:-1] + ',"tombstone":{"since":1}}', "since: expected text"),
        (LINE[:-1] + ',"tombstone":{"b":"1","a":"2"}}', "canonical"),
        (LINE[:-1] + ',"own":"b1-zz"}', "own"),
        ("{}", "line 2"),
        ("x", "line 2: not JSON"),
        (f"{LINE},", "line 2"),
        (f"{LINE}\n{LINE}", "line 2"),
    ],
)
def test_forged_entries_are_refused_by_line(body: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        decode_index(f'{{"format":1,"jobs":{{\n{body}\n}}}}\n'.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"format":1,"jobs":{}}',
        b'{"jobs":{},"format":1}\n',
        b'{"format":1,"jobs":{\n}}\n',
        b"\xff",
        b"[1]\n",
    ],
)
def test_other_files_are_no_index(data: bytes) -> None:
    with pytest.raises(DocumentError):
        decode_index(data)


def test_caps() -> None:
    with pytest.raises(DocumentError, match="larger than"):
        decode_index(b" " * (layout.MAX_INDEX + 1))
    with pytest.raises(DocumentError, match="at most 50000"):
        decode_index(b'{"format":1,"jobs":{\n' + b"\n" * 50_002 + b"\n}}\n")


def test_the_whole_round_trips() -> None:
    assert decode(encode_meta(FULL, "0.1.0"), encode_index(FULL.jobs), None) == FULL
    bare = Deployment(lineage="l", serial=0, fence=0, bundle="b", target="t")
    assert decode(encode_meta(bare, "0.1.0"), encode_index({}), None) == bare


def changed(**members: Any) -> bytes:
    document = json.loads(encode_meta(FULL, "0.9.0"))
    document.update(members)
    return stored(document)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"format": "1"}, "meta.json.format: not a format number"),
        ({"format": True}, "not a format number"),
        ({"extra": 1}, "meta.json: extra: unknown member"),
        ({"serial": -1}, "meta.json: serial"),
        ({"lineage": ""}, "meta.json: lineage: empty"),
        ({"backend": {"kind": "x"}}, "backend.host: missing"),
        ({"deployed": {}}, "meta.json: deployed.deployment: missing"),
        ({"previous": "../x"}, "previous"),
        ({"debt": [1]}, r"debt\[0\]"),
        ({"protection": {"target": 1}}, "protection.target"),
    ],
)
def test_forged_meta_is_refused_by_member(members: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        decode(changed(**members), encode_index({}), None)


def test_a_newer_format_is_told_by_its_version_whatever_else_it_holds() -> None:
    with pytest.raises(NewerFormat) as caught:
        decode(changed(format=2, whatever=[1]), b"not even json", b"nor this")
    assert (caught.value.found, caught.value.tool_version) == (2, "0.9.0")
    with pytest.raises(NewerFormat) as caught:
        decode(changed(format=3, tool_version=7), b"", None)
    assert caught.value.tool_version is None


def test_paths() -> None:
    assert layout.document_path("etl") == f"jobs/{sha256_hex(b'etl')[:2]}/etl.json"
    assert "/" not in layout.document_path("../x").split("/", 2)[2]
    assert layout.manifest_path(time_ordered_id(1_795_168_800_000)).startswith("deployments/2026-11/")
    for bad in ("x", "../../x", "2f5c0000-0000-4000-8000-000000000001"):
        with pytest.raises(ValueError, match="time-ordered"):
            layout.manifest_path(bad)
