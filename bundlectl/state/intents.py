"""Open applies: who holds the target, whether that holder still lives, and the document of it (safety 2.3, 2.4). Pure.

Called by store, layout and operations. The facts about this host are looked up by the caller (`store.host_facts`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from bundlectl.base.clock import parse_rfc3339, rfc3339
from bundlectl.model.codec import DocumentError, Members
from bundlectl.model.deployment import Intent, Operation, Owner

ALIVE, DEAD = "alive", "dead"

# How far two hosts' clocks may be apart before a lease that has run out is believed to have.
CLOCK_ALLOWANCE_S = 120

_OWNER_TEXTS = ("ci", "run_url", "host", "boot_id", "pid_ns")
_MAX_OPERATIONS = 200_000


class HostFacts(NamedTuple):
    """What this host knows of the holder's process. None where the system does not say."""

    host: str
    boot_id: str | None
    pid_ns: str | None
    pid_start: int | None  # of the process that has the holder's pid now; None: there is none


def state(intent: Intent, now_ms: int, facts: HostFacts, *, watched_s: float | None = None) -> str:
    """`alive` or `dead`. Dead is said only when it is certain by one of the rules; every doubt is alive.

    `watched_s`: how long the caller has seen the same tip, on its own boot clock; then no clocks are compared.
    """
    owner = intent.owner
    if owner.host is not None and owner.host == facts.host and owner.boot_id and facts.boot_id:
        if owner.boot_id != facts.boot_id:
            return DEAD
        same_space = owner.pid_ns is not None and owner.pid_ns == facts.pid_ns
        known = owner.pid is not None and owner.pid_start is not None
        if same_space and known and owner.pid_start != facts.pid_start:
            return DEAD
    if watched_s is not None:
        return DEAD if watched_s >= intent.lease_s else ALIVE
    return DEAD if now_ms > lease_end_ms(intent) + CLOCK_ALLOWANCE_S * 1000 else ALIVE


def lease_end_ms(intent: Intent) -> int:
    """When the lease runs out, epoch milliseconds."""
    return parse_rfc3339(intent.lease_until)


def leased(intent: Intent, now_ms: int) -> Intent:
    """The intent with a lease that begins now."""
    return replace(intent, lease_until=rfc3339(now_ms + intent.lease_s * 1000))


def taken_over(intent: Intent, owner: Owner, now_ms: int) -> Intent:
    """A dead holder's intent in the hands of a recoverer: same operations, new owner, new lease."""
    return leased(replace(intent, owner=owner, recovered_from=intent.recovered_from or intent.deployment), now_ms)


def released(intent: Intent, owner: Owner, now_ms: int) -> Intent:
    """A dead holder's intent that whoever comes next may take over at once, on any host."""
    over = rfc3339(now_ms - (CLOCK_ALLOWANCE_S + 1) * 1000)
    return replace(taken_over(intent, owner, now_ms), lease_until=over)


def same_holder(one: Owner, other: Owner) -> bool:
    """Whether two owners are one and the same process."""
    mine = (one.host, one.boot_id, one.pid_ns, one.pid, one.pid_start)
    return one.pid is not None and mine == (other.host, other.boot_id, other.pid_ns, other.pid, other.pid_start)


def intent_document(intent: Intent) -> dict[str, Any]:
    """apply.json. Members without a value are left out of owner and operations."""
    document: dict[str, Any] = {
        "deployment": intent.deployment,
        "owner": _without_none(vars(intent.owner)),
        "commit": intent.commit,
        "plan": intent.plan,
        "ops": [_without_none(operation._asdict()) for operation in intent.ops],
        "begun_at": intent.begun_at,
        "lease_s": intent.lease_s,
        "lease_until": intent.lease_until,
        "max_request_s": intent.max_request_s,
    }
    if intent.recovered_from is not None:
        document["recovered_from"] = intent.recovered_from
    return document


def decode_intent(document: Any) -> Intent:
    """apply.json back. Raises DocumentError."""
    with Members(document) as apply:
        ops = apply.items("ops")
        if len(ops) > _MAX_OPERATIONS:
            raise DocumentError("ops", f"more than {_MAX_OPERATIONS} operations")
        return Intent(
            deployment=apply.text("deployment", at_most=64),
            owner=_owner(apply.members("owner")),
            commit=apply.text_or_none("commit", at_most=64),
            plan=apply.text("plan", at_most=128),
            ops=tuple(_operation(members) for members in apply.each("ops")),
            begun_at=_moment(apply, "begun_at"),
            lease_s=apply.integer("lease_s", least=1, most=86_400),
            lease_until=_moment(apply, "lease_until"),
            max_request_s=apply.integer("max_request_s", least=1, most=86_400),
            recovered_from=apply.text("recovered_from", at_most=64) if apply.has("recovered_from") else None,
        )


def _owner(members: Members) -> Owner:
    with members as owner:
        texts = {name: owner.text(name, at_most=4096) for name in _OWNER_TEXTS if owner.has(name)}
        return Owner(
            actor=owner.text("actor", at_most=4096),
            pid=owner.integer("pid") if owner.has("pid") else None,
            pid_start=owner.integer("pid_start") if owner.has("pid_start") else None,
            **texts,
        )


def _operation(members: Members) -> Operation:
    with members as operation:
        optional = {
            name: operation.text(name, at_most=1024) for name in ("id", "old_own", "want") if operation.has(name)
        }
        return Operation(
            op=operation.text("op", at_most=64),
            action=operation.text("action", at_most=64),
            key=operation.text("key", at_most=1024),
            own=operation.text("own", at_most=64),
            **optional,
        )


def _moment(members: Members, name: str) -> str:
    value = members.text(name, at_most=64)
    try:
        parse_rfc3339(value)
    except ValueError:
        raise DocumentError(members.path(name), f'"{value}" is no time with a zone') from None
    return value


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
