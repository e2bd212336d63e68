"""Fire times and reasons for refusal as the Quartz class itself gives them: data/quartz-vectors.txt, line by line."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from bundlectl.base.fire_times import next_fire
from bundlectl.base.quartz import QuartzError, parse
from bundlectl.base.zones import find_zone

_REFUSED = "ERROR "
_NEVER = "null"


class Vector(NamedTuple):
    zone: str
    after: str  # empty when the expression is refused
    expression: str
    result: str


def _vectors() -> list[Vector]:
    text = (Path(__file__).parent / "data/quartz-vectors.txt").read_text("utf-8")
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        asked, _, result = line.partition(" => ")
        zone, *between, expression = asked.split(" | ")
        found.append(Vector(zone, between[0] if between else "", expression, result))
    return found


VECTORS = _vectors()
FIRES = [vector for vector in VECTORS if not vector.result.startswith(_REFUSED)]
REFUSED = [vector for vector in VECTORS if vector.result.startswith(_REFUSED)]


def test_the_file_is_whole() -> None:
    assert (len(FIRES), len(REFUSED)) == (66, 28)
    assert sum(len(vector.result.split()) for vector in FIRES) > 200


@pytest.mark.parametrize("vector", FIRES, ids=lambda vector: f"{vector.zone} {vector.after} {vector.expression}")
def test_fires(vector: Vector) -> None:
    zone = find_zone(vector.zone)
    assert zone is not None
    at: datetime | None = datetime.fromisoformat(vector.after)
    told = []
    for _ in vector.result.split():
        assert at is not None
        at = next_fire(parse(vector.expression), at, zone)
        told.append(_NEVER if at is None else at.isoformat().replace("+00:00", "Z"))
    assert told == vector.result.split()


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector.expression)
def test_reasons(vector: Vector) -> None:
    with pytest.raises(QuartzError) as raised:
        parse(vector.expression)
    assert raised.value.reason == vector.result.removeprefix(_REFUSED)
    assert raised.value.summary
