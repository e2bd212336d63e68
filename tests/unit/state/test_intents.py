"""Whether the holder of an open apply lives: dead only when certain."""

from dataclasses import replace

import pytest

from bundlectl.model.codec import DocumentError
from bundlectl.model.deployment import Intent, Operation, Owner
from bundlectl.state.intents import (
    ALIVE,
    DEAD,
    HostFacts,
    decode_intent,
    intent_document,
    lease_end_ms,
    leased,
    same_holder,
    state,
    taken_over,
)

OWNER = Owner(actor="ann", host="h1", boot_id="boot1", pid_ns="pid:[1]", pid=100, pid_start=5000)
INTENT = Intent(
    deployment="0198c5d2-0000-7000-8000-000000000000",
    owner=OWNER,
    commit="c" * 40,
    plan="sha256:" + "0" * 64,
    ops=(
        Operation("1", "create", "etl", "b1-" + "0" * 40),
        Operation("2", "update", "x", "b1-1", id="7", want="sha256:1"),
    ),
    begun_at="2026-11-23T10:00:00Z",
    lease_until="2026-11-23T10:05:00Z",
)
END = lease_end_ms(INTENT)
HERE = HostFacts("h1", "boot1", "pid:[1]", 5000)


@pytest.mark.parametrize(
    ("facts", "now_ms", "expected"),
    [
        (HERE, END, ALIVE),
        (HERE._replace(pid_start=None), END - 1000, DEAD),  # killed
        (HERE._replace(pid_start=9999), END - 1000, DEAD),  # killed, and its pid reused
        (HERE._replace(boot_id="boot2", pid_start=None), END - 1000, DEAD),  # rebooted
        (HERE._replace(boot_id="boot2"), END - 1000, DEAD),  # rebooted, same pid by chance
        (HERE._replace(pid_ns="pid:[2]", pid_start=None), END - 1000, ALIVE),  # another container: nothing is known
        (HERE._replace(pid_ns=None, pid_start=None), END - 1000, ALIVE),
        (HERE._replace(boot_id=None, pid_start=None), END - 1000, ALIVE),
        (HERE._replace(host="h2", boot_id="boot2", pid_start=None), END - 1000, ALIVE),  # elsewhere
        (HERE._replace(host="h2"), END + 120_000, ALIVE),  # lease over, within what clocks may differ
        (HERE._replace(host="h2"), END + 120_001, DEAD),
        (HERE, END + 120_001, DEAD),  # stopped past its lease: its own lease check keeps it from writing
    ],
)
def test_dead_or_alive(facts: HostFacts, now_ms: int, expected: str) -> None:
    assert state(INTENT, now_ms, facts) == expected


@pytest.mark.parametrize("missing", ["host", "boot_id", "pid_ns", "pid", "pid_start"])
def test_a_holder_that_said_too_little_lives_until_its_lease_is_over(missing: str) -> None:
    intent = replace(INTENT, owner=Owner(**{**vars(OWNER), missing: None}))
    assert state(intent, END - 1000, HERE._replace(pid_start=None)) == ALIVE


def test_taking_over_keeps_the_operations_and_names_the_dead() -> None:
    other = replace(OWNER, pid=200)
    new = taken_over(INTENT, other, END + 1_000_000)
    assert (new.ops, new.deployment, new.owner) == (INTENT.ops, INTENT.deployment, other)
    assert new.recovered_from == INTENT.deployment
    assert lease_end_ms(new) == END + 1_300_000
    assert taken_over(new, OWNER, END).recovered_from == INTENT.deployment


def test_holders_are_processes() -> None:
    assert same_holder(OWNER, replace(OWNER, actor="other name"))
    assert not same_holder(OWNER, replace(OWNER, pid_start=1))
    assert not same_holder(Owner(actor="a"), Owner(actor="a"))


@pytest.mark.parametrize("intent", [INTENT, replace(INTENT, recovered_from="d0", commit=None, owner=Owner(actor="a"))])
def test_documents_round_trip(intent: Intent) -> None:
    assert decode_intent(intent_document(intent)) == intent


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "extra: unknown member"),
        ({"lease_until": "soon"}, 'lease_until: "soon" is no time'),
        ({"lease_until": "2026-11-23T10:05:00"}, "no time with a zone"),
        ({"owner": {}}, "owner.actor: missing"),
        ({"ops": [{"op": "1"}]}, r"ops\[0\].action: missing"),
        ({"lease_s": 0}, "lease_s: 0 is not in"),
    ],
)
def test_forged_documents_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        decode_intent({**intent_document(INTENT), **change})


def test_a_lease_begins_now() -> None:
    assert lease_end_ms(leased(INTENT, 1_000_000_000_000)) == 1_000_000_300_000
