"""Results of the state commands as text. Pure.

Called by cli.commands.state. The JSON members come from the values themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bundlectl.render.escape import visible
from bundlectl.render.values import commit_text, counted, duration_text, minute_text, table

State = Mapping[str, Any]  # one entry of `targets` in bundlectl.state/v1


def states_text(states: Sequence[State]) -> str:
    """`state list`: a line for each target."""
    rows = [["target", "deployment", "commit", "state", "form", "where", "held by"]]
    rows += [
        [
            visible(state["target"]),
            str(state["serial"]) if state["serial"] is not None else "-",
            commit_text(state["commit"]) if state["serial"] else "-",
            commit_text(state["tip"]) if state["tip"] else "-",
            visible(state["form"]),
            where_text(state["remote"]),
            _holder(state["open_apply"]),
        ]
        for state in states
    ]
    return table(rows)


def state_text(state: State, *, now_ms: int, begun_ms: int | None) -> str:
    """`state show`: the state of one target, one fact a line. `begun_ms`: when the open apply began."""
    deployed = commit_text(state["commit"]) if state["serial"] else "nothing yet"
    rows = [
        ["target", visible(state["target"])],
        ["ref", visible(state["ref"])],
        ["where", where_text(state["remote"])],
        ["state commit", visible(state["tip"] or "none")],
        ["deployment", f"{state['serial'] or 0}, {deployed}"],
        ["jobs", str(state["jobs"])],
        ["lineage", visible(state["lineage"] or "none")],
    ]
    return table([*rows, *_open_rows(state["open_apply"], now_ms, begun_ms)])


def where_text(remote: str) -> str:
    """Where a state is kept."""
    return "this repository" if remote == "." else visible(remote)


def packed_text(caches: Iterable[tuple[str, int, int]]) -> str:
    """`state gc`: how much smaller the caches have become."""
    done = list(caches)
    before, after = sum(item[1] for item in done), sum(item[2] for item in done)
    return f"Packed {counted(len(done), 'cache')}: {_bytes(before)} -> {_bytes(after)}\n"


def _holder(apply: Mapping[str, Any] | None) -> str:
    if apply is None:
        return "-"
    return f"{visible(apply['holder'])} since {minute_text(apply['begun_at'])}" + ("" if apply["alive"] else ", dead")


def _open_rows(apply: Mapping[str, Any] | None, now_ms: int, begun_ms: int | None) -> list[list[str]]:
    if apply is None:
        return []
    age = f", {duration_text(now_ms - begun_ms)} ago" if begun_ms is not None else ""
    rows = [
        ["open apply", visible(apply["deployment"])],
        ["held by", visible(apply["holder"]) + (f" on {visible(apply['host'])}" if apply["host"] else "")],
        ["run", visible(apply["run_url"])] if apply["run_url"] else [],
        ["commit", commit_text(apply["commit"])],
        ["begun", f"{minute_text(apply['begun_at'])}{age}"],
        ["lease until", minute_text(apply["lease_until"]) + ("" if apply["alive"] else "; its holder is dead")],
    ]
    return [row for row in rows if row]


def _bytes(count: int) -> str:
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
