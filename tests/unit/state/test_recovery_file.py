"""The file that keeps the end of an apply: what it holds comes back, and nothing else is believed."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bundlectl.base.digest import canonical_bytes
from bundlectl.model.codec import DocumentError
from bundlectl.model.deployment import Deployed, Deployment
from bundlectl.state import recovery_file
from bundlectl.state.recovery_file import Ending
from bundlectl.state.store import Note
from tests.contract.state_suite import BACKEND, BUNDLE, LINEAGE, TARGET, deployment_id, job

ID = deployment_id(3)
DOCUMENT = {"name": "etl \u00e9", "tasks": [{"task_key": "t"}]}
ENDING = Ending(
    deployment=ID,
    fence=7,
    new=Deployment(
        lineage=LINEAGE,
        serial=4,
        fence=7,
        bundle=BUNDLE,
        target=TARGET,
        backend=BACKEND,
        deployed=Deployed(
            deployment=ID,
            commit="c" * 40,
            tree="7" * 40,
            dirty=False,
            snapshot=None,
            code_tree=None,
            config_digest="sha256:" + "2" * 64,
        ),
        jobs={"etl": job(DOCUMENT, ID)},
        debt=("x",),
    ),
    note=Note("apply-end", ID, "sales -> prod: update etl", "c" * 40, "ann@example.com", None),
    documents={"etl": DOCUMENT},
    manifest={"id": ID, "serial": 4},
)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "recovery"
    assert recovery_file.find(folder, ID) is None
    path = recovery_file.keep(folder, ENDING)
    assert path == folder / f"bundlectl-recovery-{ID}.json"
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)
    assert recovery_file.find(folder, ID) == ENDING
    assert recovery_file.find(folder, deployment_id(4)) is None
    recovery_file.forget(folder, ID)
    assert recovery_file.find(folder, ID) is None
    recovery_file.forget(folder, ID)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[: len(data) // 2], "JSON"),
        (lambda data: b"\xff\xfe", "not JSON"),
        (lambda data: b"[" * 100_000, "deep|nest|JSON"),
        (lambda data: b"[]\n", "expected a map"),
        (lambda data: data.replace(b'"format":1,"index"', b'"format":2,"index"'), "another version"),
        (lambda data: data.replace(b'"format":1,"hold"', b'"format":2,"hold"'), "meta: format 2"),
        (lambda data: data.replace(b'"fence":7,"format":1,"index"', b'"format":1,"index"'), "fence"),
        (lambda data: data.replace(b'"verb":"apply-end"', b'"verb":7'), "verb"),
        (lambda data: data.replace(b'{"deployment"', b'{"also":1,"deployment"', 1), "unknown member"),
        (lambda data: data.replace(ID.encode(), deployment_id(9).encode()), "it is of"),
        (lambda data: canonical_bytes({**json.loads(data), "index": "{}"}) + b"\n", "canonical"),
    ],
)
def test_what_is_not_what_was_kept_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes], said: str) -> None:
    path = recovery_file.keep(tmp_path, ENDING)
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before
    with pytest.raises(DocumentError, match=said):
        recovery_file.find(tmp_path, ID)
