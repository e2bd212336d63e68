"""Closest known name, behind every "did you mean". Pure."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], *, limit: int | None = None) -> str | None:
    """The known name with the smallest edit distance to `name`, or None when none is near.

    Near means at most `limit` edits; by default a third of the length, at least 1 and at most 3. Ties go to the
    name that sorts first. A swap of two neighbours is one edit.
    """
    bound = limit if limit is not None else min(3, max(1, len(name) // 3))
    best: tuple[int, str] | None = None
    folded = name.casefold()
    for candidate in sorted(set(known)):
        if abs(len(candidate) - len(name)) > bound or candidate == name:
            continue
        distance = _distance(folded, candidate.casefold(), bound)
        if distance <= bound and (best is None or distance < best[0]):
            best = (distance, candidate)
    return best[1] if best else None


def _distance(left: str, right: str, bound: int) -> int:
    """Edit distance with neighbour swaps (optimal string alignment), cut off above `bound`."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > bound:
            return bound + 1
    return row[-1]
