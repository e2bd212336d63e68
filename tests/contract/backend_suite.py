"""What every Backend must do, whatever is behind it. A subclass gives the `place` fixture and inherits the tests.

Waiting is by asking: `Place.settle` lets the other side go on until a run has ended.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from bundlectl.backends.base import Backend, Composed, Holding, Ownership
from bundlectl.base.digest import digest_bytes, git_blob_id, sha256_hex
from bundlectl.model.deployment import ownership_id
from bundlectl.model.errors import BackendError, Conflict, LeaseHeld, NotFound
from bundlectl.model.run import LifeCycle, Result, Run
from bundlectl.model.source import Snapshot, SnapshotFile

LINEAGE, TARGET = "2f5c0000-0000-4000-8000-000000000001", "dev"

# What a backend may add to a document that was sent (spec: REST API 1.3), by where.
_FILLED_JOB = {
    "format",
    "email_notifications",
    "webhook_notifications",
    "timeout_seconds",
    "max_concurrent_runs",
    "run_as",
}
_FILLED_TASK = {"run_if", "timeout_seconds", "email_notifications"}


class Place(NamedTuple):
    """One empty other side, and how to reach it."""

    backend: Backend
    reopen: Callable[[], Backend]  # as the next process would
    file_path: str
    settle: Callable[[Backend, str], Run]  # lets a run end, and gives it


def spec(place: Place, name: str = "etl", **more: Any) -> dict[str, Any]:
    """A job that runs one file of the snapshot."""
    task = {"task_key": "main", "spark_python_task": {"python_file": f"{place.file_path}/src/main.py"}}
    return {"name": name, "max_concurrent_runs": 1, "queue": {"enabled": True}, "tasks": [task], **more}


def composed(place: Place, document: Mapping[str, Any], key: str = "etl", **more: Any) -> Composed:
    options = {"snapshot": None, "lineage": LINEAGE, "target": TARGET, **more}
    return place.backend.compose(document, key=key, **options)


def snapshot_of(files: Mapping[str, bytes]) -> tuple[Snapshot, Callable[[Sequence[str]], dict[str, bytes]]]:
    """A snapshot and the reader of its blobs, by the published digest rule."""
    entries = tuple(
        SnapshotFile(
            path, "100644", hashlib.sha256(files[path]).hexdigest(), git_blob_id(files[path]), len(files[path])
        )
        for path in sorted(files, key=lambda path: path.encode())
    )
    lines = b"".join(f"{entry.mode} {entry.sha256} {entry.path}".encode() + b"\0" for entry in entries)
    blobs = {git_blob_id(content): content for content in files.values()}
    return Snapshot(digest=digest_bytes(lines), files=entries), lambda ids: {id: blobs[id] for id in ids}


def digests(backend: Backend, lineage: str = LINEAGE, target: str = TARGET) -> dict[str, tuple[str, str | None]]:
    """id -> (ownership id, digest) as listed."""
    observed = backend.observe(lineage, target)
    assert observed.read
    return {job.id: (job.own, job.digest) for job in observed.jobs}


def assert_same_but_filled(found: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    """`found` is `sent` and at most what a backend may fill in."""
    assert set(found) - set(sent) <= _FILLED_JOB
    assert {name: found.get(name) for name in sent if name != "tasks"} == {
        name: value for name, value in sent.items() if name != "tasks"
    }
    assert len(found["tasks"]) == len(sent["tasks"])
    for got, wanted in zip(found["tasks"], sent["tasks"], strict=True):
        assert set(got) - set(wanted) <= _FILLED_TASK
        for name, value in wanted.items():
            held = got[name]
            if isinstance(value, dict):
                held = {member: item for member, item in held.items() if member in value or member != "source"}
            assert held == value


class JobsSuite:
    """Definitions of jobs: identity, digests, ownership, fences."""

    def test_reading_an_empty_place_finds_nothing(self, place: Place) -> None:
        assert digests(place.backend) == {}
        assert place.backend.read(["123456"]) == {"123456": None}
        assert place.backend.runs(None, 10) == []
        assert place.backend.active_runs(["123456"]) == {"123456": 0}

    def test_identity_stays_once_something_was_written(self, place: Place) -> None:
        place.backend.create(composed(place, spec(place)), 1)
        identity = place.backend.identity()
        assert identity.workspace_id
        assert place.reopen().identity() == identity

    def test_a_created_job_is_listed_with_the_digest_of_what_was_sent(self, place: Place) -> None:
        sent = composed(place, spec(place))
        id = place.backend.create(sent, 1)
        assert sent.own == ownership_id(LINEAGE, TARGET, "etl")
        assert digests(place.reopen()) == {id: (sent.own, sent.digest)}

    def test_read_back_is_the_spec(self, place: Place) -> None:
        document = spec(
            place,
            permissions=[{"level": "CAN_VIEW", "user_name": "bob@example.com"}],
            tags={"team": "a", "empty": ""},
            parameters=[{"name": "day", "default": "{{job.start_time.iso_date}}"}],
            deployment={"kind": "BUNDLE", "metadata_file_path": "/Workspace/x/state/metadata.json"},
            timeout_seconds=0,
        )
        snapshot = "sha256:" + "ab" * 32
        id = place.backend.create(composed(place, document, snapshot=snapshot), 1)
        found = place.reopen().read([id])[id]
        assert found is not None
        assert_same_but_filled(found, document)

    def test_a_job_of_many_tasks_is_read_whole(self, place: Place) -> None:
        task = spec(place)["tasks"][0]
        document = spec(place, tasks=[{**task, "task_key": f"t{number:03d}"} for number in range(250)])
        id = place.backend.create(composed(place, document), 1)
        found = place.backend.read([id])[id]
        assert found is not None
        assert_same_but_filled(found, document)

    def test_creating_again_for_the_same_owner_gives_the_same_job(self, place: Place) -> None:
        id = place.backend.create(composed(place, spec(place)), 1)
        assert place.reopen().create(composed(place, spec(place)), 1) == id
        assert list(digests(place.backend)) == [id]

    def test_update_replaces_everything(self, place: Place) -> None:
        id = place.backend.create(composed(place, spec(place, description="old")), 1)
        sent = composed(place, spec(place, name="new"))
        place.backend.update(id, sent, 1)
        assert digests(place.backend) == {id: (sent.own, sent.digest)}
        found = place.backend.read([id])[id]
        assert found is not None
        assert found["name"] == "new"
        assert "description" not in found

    def test_an_update_may_give_a_job_another_owner(self, place: Place) -> None:
        """A rename keeps the object: it is stamped with the new id."""
        id = place.backend.create(composed(place, spec(place), key="old"), 1)
        sent = composed(place, spec(place), key="new")
        place.backend.update(id, sent, 1)
        assert digests(place.backend) == {id: (ownership_id(LINEAGE, TARGET, "new"), sent.digest)}

    def test_a_hidden_job_is_kept_and_not_shown(self, place: Place) -> None:
        """A deleted job that is kept: nothing starts it, nobody meets it in a list, and it comes back whole."""
        document = spec(place, continuous={"pause_status": "UNPAUSED"}, timeout_seconds=7)
        id = place.backend.create(composed(place, document), 1)
        hidden = composed(place, document, hidden=True)
        place.backend.update(id, hidden, 1)
        assert digests(place.reopen()) == {id: (hidden.own, hidden.digest)}
        assert place.backend.find("job", "etl") == ()
        assert hidden.document["name"] == ("etl" if place.backend.capabilities.hides else "[deleted] etl")
        assert hidden.document["continuous"]["pause_status"] == "PAUSED"
        with pytest.raises(BackendError):
            place.backend.submit(id, parameters={}, only=(), token="token-1")
        held = place.backend.read([id])[id]
        assert held is not None
        assert_same_but_filled(held, document)
        again = composed(place, document, hidden=True)
        assert again.digest == hidden.digest
        back = composed(place, document)
        place.backend.update(id, back, 1)
        assert digests(place.backend) == {id: (back.own, back.digest)}
        assert place.backend.find("job", "etl") == (id,)

    def test_hiding_what_was_read_is_the_same_job_hidden(self, place: Place) -> None:
        """Cut off after it was hidden, a deletion is done again from what is there then."""
        id = place.backend.create(composed(place, spec(place, continuous={"pause_status": "UNPAUSED"})), 1)
        for _ in range(2):
            held = place.backend.read([id])[id]
            assert held is not None
            assert held["continuous"]["pause_status"] == "UNPAUSED"
            hidden = composed(place, held, hidden=True)
            place.backend.update(id, hidden, 1)
            assert digests(place.backend)[id] == (hidden.own, hidden.digest)

    def test_whose_a_job_is_and_how_it_becomes_nobodys(self, place: Place) -> None:
        snapshot = "sha256:" + "ab" * 32
        document = spec(place, deployment={"kind": "BUNDLE", "metadata_file_path": "/Workspace/x/metadata.json"})
        sent = composed(place, document, snapshot=snapshot)
        id = place.backend.create(sent, 1)
        assert place.backend.holding(id) == Holding(Ownership(sent.own, LINEAGE, TARGET, "etl"), snapshot)
        place.backend.release(id, 1)
        assert place.reopen().holding(id) == Holding(None, snapshot)
        assert digests(place.backend) == {}
        held = place.backend.read([id])[id]
        assert held is not None
        assert_same_but_filled(held, document)
        place.backend.release(id, 1)
        place.backend.release("123456", 1)
        with pytest.raises(NotFound):
            place.backend.holding("123456")
        # Whoever comes next may have it.
        taken = composed(place, held, snapshot=snapshot, lineage="other")
        place.backend.update(id, taken, 1)
        assert digests(place.backend, lineage="other") == {id: (taken.own, taken.digest)}

    def test_delete_and_what_is_gone(self, place: Place) -> None:
        sent = composed(place, spec(place))
        id = place.backend.create(sent, 1)
        place.backend.delete(id, 1)
        place.backend.delete(id, 1)
        assert digests(place.backend) == {}
        assert place.backend.read([id]) == {id: None}
        with pytest.raises(Conflict) as caught:
            place.backend.update(id, sent, 1)
        assert caught.value.code == "BND703"
        assert place.backend.create(sent, 1) != id

    def test_only_our_lineage_and_target_are_listed(self, place: Place) -> None:
        place.backend.create(composed(place, spec(place)), 1)
        place.backend.create(composed(place, spec(place), target="prod"), 1)
        place.backend.create(composed(place, spec(place), lineage="other"), 1)
        assert len(digests(place.backend)) == 1
        assert len(digests(place.backend, target="prod")) == 1
        assert len(digests(place.backend, lineage="other")) == 1
        assert place.backend.observe(None, TARGET).jobs == ()
        # Whoever has no state at all learns which histories there are.
        found = place.reopen().lineages(TARGET)
        assert found[LINEAGE] == len(digests(place.backend))
        assert sum(found.values()) > found[LINEAGE]
        assert place.backend.lineages("nowhere") == {}

    def test_a_lookup_finds_a_job_by_its_exact_name(self, place: Place) -> None:
        assert place.backend.find("job", "etl") == ()
        names = ["etl", "ETL", "etl ", "other", "twice", "twice"]
        ids = [
            place.backend.create(composed(place, spec(place, name), key=f"k{number}"), 0)
            for number, name in enumerate(names)
        ]
        backend = place.reopen()
        assert backend.find("job", "etl") == (ids[0],)
        assert backend.find("job", "et") == ()
        assert sorted(backend.find("job", "twice") or ()) == sorted(ids[4:])

    def test_a_kind_of_lookup_that_is_not_known_here_is_no_answer(self, place: Place) -> None:
        assert place.backend.find("no such kind", "etl") is None

    def test_an_older_fence_is_refused_and_changes_nothing(self, place: Place) -> None:
        if not place.backend.capabilities.fencing:
            pytest.skip("this backend has no fences")
        sent = composed(place, spec(place))
        id = place.backend.create(sent, 5)
        before = digests(place.backend)
        calls: list[Callable[[], object]] = [
            lambda: place.backend.create(composed(place, spec(place), key="other"), 4),
            lambda: place.backend.update(id, composed(place, spec(place, name="late")), 4),
            lambda: place.backend.delete(id, 4),
            lambda: place.backend.release(id, 4),
        ]
        for call in calls:
            with pytest.raises(LeaseHeld) as caught:
                call()
            assert caught.value.code == "BND402"
        assert digests(place.backend) == before
        # Other targets have fences of their own.
        place.backend.create(composed(place, spec(place), target="prod"), 1)

    def test_settings_that_do_not_hold_are_refused_with_the_reason(self, place: Place) -> None:
        broken = spec(place)
        broken["tasks"][0]["depends_on"] = [{"task_key": "nowhere"}]
        with pytest.raises(BackendError) as caught:
            place.backend.create(composed(place, broken), 1)
        assert "nowhere" in caught.value.summary
        assert digests(place.backend) == {}


class CodeSuite:
    """Snapshots: whole or not there, sent once."""

    FILES: Mapping[str, bytes] = {"src/main.py": b'print("hello")\n', "src/data/a b.txt": b"\x00\xff", "empty": b""}

    def test_publishing_is_done_once(self, place: Place) -> None:
        snapshot, read = snapshot_of(self.FILES)
        assert not place.backend.has_snapshot(snapshot.digest)
        assert place.backend.publish(snapshot, read) == 3
        assert place.reopen().has_snapshot(snapshot.digest)
        assert place.reopen().publish(snapshot, _never) == 0

    def test_many_files(self, place: Place) -> None:
        snapshot, read = snapshot_of({f"src/{number % 7}/{number}.py": b"%d" % number for number in range(100)})
        assert place.backend.publish(snapshot, read) == 100
        assert place.backend.has_snapshot(snapshot.digest)

    def test_wrong_content_is_refused_and_can_be_put_right(self, place: Place) -> None:
        snapshot, read = snapshot_of(self.FILES)
        wrong = {file.blob: b"something else" for file in snapshot.files}
        with pytest.raises(BackendError):
            place.backend.publish(snapshot, lambda ids: {id: wrong[id] for id in ids})
        assert not place.backend.has_snapshot(snapshot.digest)
        place.backend.publish(snapshot, read)
        assert place.backend.has_snapshot(snapshot.digest)

    def test_a_built_file_is_published_once(self, place: Place) -> None:
        content = b"PK wheel"
        sha256, name = sha256_hex(content), "shop-0.1+b0-py3-none-any.whl"
        assert not place.backend.has_file(sha256, name)
        assert place.backend.publish_file(sha256, name, content)
        assert place.reopen().has_file(sha256, name)
        assert not place.reopen().publish_file(sha256, name, content)
        assert not place.backend.has_file(sha256, "other.whl")
        with pytest.raises(BackendError):
            place.backend.publish_file(sha256, "other.whl", b"something else")
        assert not place.backend.has_file(sha256, "other.whl")

    def test_publishing_goes_on_where_it_was_interrupted(self, place: Place) -> None:
        # Large enough to be read in two steps.
        snapshot, read = snapshot_of({"a": b"1" * (9 << 20), "b": b"2" * (9 << 20)})

        def dies_at_b(ids: Sequence[str]) -> dict[str, bytes]:
            if snapshot.files[1].blob in ids:
                raise KeyboardInterrupt
            return read(ids)

        with pytest.raises(KeyboardInterrupt):
            place.backend.publish(snapshot, dies_at_b)
        assert not place.backend.has_snapshot(snapshot.digest)
        assert place.reopen().publish(snapshot, read) == 1
        assert place.backend.has_snapshot(snapshot.digest)


class RunsSuite:
    """Runs: started once, followed, cancelled, found again."""

    def _deployed(self, place: Place, source: bytes, **more: Any) -> str:
        snapshot, read = snapshot_of({"src/main.py": source})
        place.backend.publish(snapshot, read)
        return place.backend.create(composed(place, spec(place, **more), snapshot=snapshot.digest), 1)

    def test_a_run_from_start_to_end(self, place: Place) -> None:
        job = self._deployed(place, b'print("hello from the snapshot")\n')
        id = place.backend.submit(job, parameters={}, only=(), token="token-1")
        run = place.settle(place.backend, id)
        assert (run.run_id, run.job_id, run.name) == (id, job, "etl")
        assert (run.state, run.result) == (LifeCycle.TERMINATED, Result.SUCCESS)
        assert 0 < run.start_ms <= run.end_ms
        (task,) = run.tasks
        assert (task.task_key, task.attempt, task.kind, task.result) == ("main", 0, "spark_python_task", Result.SUCCESS)
        log = place.backend.log(task.run_id, 0)
        assert log.text == "hello from the snapshot\n"
        assert log.next_offset == log.size == len(log.text)
        assert place.backend.log(task.run_id, 6).text == "from the snapshot\n"
        assert place.backend.log(task.run_id, log.size).text == ""

    def test_a_token_starts_one_run(self, place: Place) -> None:
        job = self._deployed(place, b"")
        id = place.backend.submit(job, parameters={}, only=(), token="token-1")
        assert place.reopen().submit(job, parameters={}, only=(), token="token-1") == id
        assert place.backend.submit(job, parameters={}, only=(), token="token-2") != id
        place.settle(place.backend, id)
        assert place.backend.submit(job, parameters={}, only=(), token="token-1") == id

    def test_parameters_reach_the_run(self, place: Place) -> None:
        job = self._deployed(place, b"", parameters=[{"name": "day", "default": "1"}, {"name": "m", "default": "x"}])
        id = place.backend.submit(job, parameters={"day": "2"}, only=(), token="token-1")
        assert place.settle(place.backend, id).parameters == {"day": "2", "m": "x"}

    def test_a_failed_task_fails_the_run(self, place: Place) -> None:
        job = self._deployed(place, b'raise ValueError("no file")\n')
        run = place.settle(place.backend, place.backend.submit(job, parameters={}, only=(), token="token-1"))
        assert run.is_terminal
        assert run.result is Result.FAILED
        assert run.tasks[0].result is Result.FAILED
        assert "ValueError: no file" in place.backend.log(run.tasks[0].run_id, 0).text

    def test_the_outcome_is_that_of_the_manifest(self, place: Place) -> None:
        job = self._deployed(place, b'print("x")\n')
        id = place.backend.submit(job, parameters={}, only=(), token="token-1")
        place.settle(place.backend, id)
        outcome = place.reopen().outcome(id)
        assert (outcome["run_id"], outcome["result_state"]) == (id, "SUCCESS")
        (task,) = outcome["tasks"]
        (attempt,) = task["attempts"]
        assert attempt["log"]["digest"] == digest_bytes(b"x\n")

    def test_the_environment_of_a_job_is_named(self, place: Place) -> None:
        job = self._deployed(place, b"")
        entries = place.backend.environment(job)
        assert entries
        assert all(entry["lock"].startswith("sha256:") and entry["python"] for entry in entries)

    def test_runs_are_listed_newest_first_and_across_pages(self, place: Place) -> None:
        # No run may start, so each ends at once as skipped.
        job = self._deployed(place, b"", max_concurrent_runs=0, queue={"enabled": False})
        ids = [place.backend.submit(job, parameters={}, only=(), token=f"token-{number}") for number in range(30)]
        for id in ids:
            place.settle(place.backend, id)
        assert {run.run_id for run in place.backend.runs(job, 100)} == set(ids)
        assert len(place.backend.runs(None, 28)) == 28
        assert place.backend.runs("999999", 5) == []

    def test_a_cancelled_run_ends_as_cancelled(self, place: Place) -> None:
        job = self._deployed(place, b"import time\ntime.sleep(600)\n")
        id = place.backend.submit(job, parameters={}, only=(), token="token-1")
        assert place.backend.active_runs([job]) == {job: 1}
        place.backend.cancel(id)
        run = place.settle(place.backend, id)
        assert (run.state, run.result) == (LifeCycle.TERMINATED, Result.CANCELED)
        place.backend.cancel(id)
        assert place.backend.active_runs([job]) == {job: 0}

    def test_unknown_runs_are_not_found(self, place: Place) -> None:
        place.backend.create(composed(place, spec(place)), 1)
        for call in (
            lambda: place.backend.run("999999"),
            lambda: place.backend.cancel("999999"),
            lambda: place.backend.log("999999", 0),
            lambda: place.backend.outcome("999999"),
            lambda: place.backend.environment("999999"),
            lambda: place.backend.submit("999999", parameters={}, only=(), token="t"),
        ):
            with pytest.raises(NotFound):
                call()


def _never(ids: Sequence[str]) -> dict[str, bytes]:
    raise AssertionError("a published snapshot needs no content")
