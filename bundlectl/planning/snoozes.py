"""Drift that somebody decided to leave alone for a time: read from the recorded state, asked by field. Pure.

Called by planning.verdicts and planning.drift for what counts, by operations.drift_snooze for what is recorded. A
snooze is for one field and the very value that the backend had: another change to it is news again, and so is the old
one once its time has come.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bundlectl.base.clock import parse_rfc3339
from bundlectl.base.digest import digest_document
from bundlectl.model.deployment import Deployment
from bundlectl.model.location import FieldPath, address, key_of, parse_path, path_text
from bundlectl.model.plan import ABSENT

SNOOZED = "snoozed"  # the reason that plans show
_MEMBERS = ("address", "field", "until", "reason", "by", "since", "observed")


class Snooze(NamedTuple):
    """One field of one job, left as the backend has it until a time."""

    key: str
    path: FieldPath
    until: str  # RFC 3339
    reason: str
    by: str
    since: str  # RFC 3339
    observed: str  # sha256:<hex>, see value_digest

    @property
    def name(self) -> str:
        """What it is recorded under: one snooze for a field."""
        return f"{address(self.key)}.{path_text(self.path)}"

    def document(self) -> dict[str, str]:
        """As the state keeps it and JSON shows it."""
        values = (address(self.key), path_text(self.path), *self[2:])
        return dict(zip(_MEMBERS, values, strict=True))

    def is_over(self, now_ms: int) -> bool:
        """Whether its time has come."""
        return parse_rfc3339(self.until) <= now_ms


class JobSnoozes:
    """The snoozes of one job that still hold."""

    def __init__(self, snoozes: Iterable[Snooze], lineage: str) -> None:
        self._by_path = {snooze.path: snooze for snooze in snoozes}
        self._lineage = lineage

    def of(self, path: FieldPath, observed: Any) -> Snooze | None:
        """The one that covers this value of a field."""
        snooze = self._by_path.get(path)
        return snooze if snooze is not None and snooze.observed == value_digest(self._lineage, observed) else None


NO_SNOOZES = JobSnoozes((), "")


class Snoozes(NamedTuple):
    """The snoozes of a target that still hold, by job."""

    by_key: Mapping[str, JobSnoozes] = {}

    @classmethod
    def of_target(cls, deployment: Deployment | None, now_ms: int) -> "Snoozes":
        """What the recorded state says. `now_ms`: epoch milliseconds."""
        if deployment is None or not deployment.snoozes:
            return cls()
        held: dict[str, list[Snooze]] = {}
        for snooze in recorded_snoozes(deployment):
            if not snooze.is_over(now_ms):
                held.setdefault(snooze.key, []).append(snooze)
        return cls({key: JobSnoozes(found, deployment.lineage) for key, found in held.items()})

    def of(self, key: str) -> JobSnoozes:
        """Those of one job, by its recorded key."""
        return self.by_key.get(key, NO_SNOOZES)


def recorded_snoozes(deployment: Deployment) -> list[Snooze]:
    """Every snooze of the state, sorted by name; an entry of another form is left where it is and does nothing."""
    found = (_read(value) for _, value in sorted(deployment.snoozes.items()))
    return [snooze for snooze in found if snooze is not None]


def value_digest(lineage: str, observed: Any) -> str:
    """Names a value without telling it: the state is pushed to where many can read it."""
    return digest_document([lineage, "absent"] if observed is ABSENT else [lineage, "value", observed])


def renamed_snoozes(snoozes: Mapping[str, Any], renamed: Mapping[str, str], jobs: Iterable[str]) -> dict[str, Any]:
    """The snoozes after a deploy: under the new key of a renamed job (`renamed`: old -> new), gone with its job."""
    known = set(jobs)
    kept: dict[str, Any] = {}
    for name, value in snoozes.items():
        snooze = _read(value)
        if snooze is None:
            kept[name] = value
            continue
        moved = snooze._replace(key=renamed.get(snooze.key, snooze.key))
        if moved.key in known:
            kept[moved.name] = moved.document()
    return kept


def _read(value: Any) -> Snooze | None:
    if not isinstance(value, Mapping) or not all(isinstance(value.get(name), str) for name in _MEMBERS):
        return None
    try:
        path = parse_path(value["field"])
        parse_rfc3339(value["until"])
    except ValueError:
        return None
    return Snooze(key_of(value["address"]), path, *(value[name] for name in _MEMBERS[2:]))
