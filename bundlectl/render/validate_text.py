"""Results of validate as text and as `bundlectl.diagnostics/v1`. Pure.

Called by the command validate. The resolved bundle itself is render.resolved.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bundlectl.model.bundle import Bundle
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.plan_document import diagnostic_document
from bundlectl.model.source import Revision
from bundlectl.render.diagnostics import count_line
from bundlectl.render.documents import diagnostics_document
from bundlectl.render.escape import visible
from bundlectl.render.values import commit_text, counted, table


def validate_text(bundle: Bundle, revision: Revision, diagnostics: Sequence[Diagnostic]) -> str:
    """What was checked, what is left alone, and how it went."""
    what = f"{counted(len(bundle.jobs), 'job')}, {counted(len(bundle.targets), 'target')}"
    lines = [_head(bundle, what, revision), *_unmanaged(bundle.unmanaged), _verdict(diagnostics)]
    return "\n".join(lines) + "\n"


def targets_text(
    bundles: Mapping[str, Bundle | None],
    revision: Revision,
    found: Mapping[str, Iterable[Diagnostic]],
    diagnostics: Sequence[Diagnostic],
) -> str:
    """The same for every target: a line each. `bundles`: None for one that does not load. One of them does."""
    some = next(bundle for bundle in bundles.values() if bundle is not None)
    rows = [
        (
            visible(name),
            counted(len(bundle.jobs), "job") if bundle is not None else "does not load",
            _verdict(found[name]),
        )
        for name, bundle in bundles.items()
    ]
    lines = [_head(some, counted(len(bundles), "target"), revision), *_unmanaged(some.unmanaged)]
    return "\n".join(lines) + "\n" + table(rows, indent="  ") + _verdict(diagnostics) + "\n"


def _head(bundle: Bundle, what: str, revision: Revision) -> str:
    return f"{visible(bundle.name)}: {what}, {counted(len(bundle.files), 'file')} at {_place(revision)}"


def _unmanaged(kinds: Mapping[str, int]) -> list[str]:
    names = ", ".join(f"{visible(kind)} ({number})" for kind, number in sorted(kinds.items()))
    return [f"not managed by bundlectl: {names}"] if kinds else []


def _verdict(diagnostics: Iterable[Diagnostic]) -> str:
    counts = count_line(list(diagnostics))
    return counts if counts.split(" ", 1)[0] != "0" else f"ok: {counts}"


def _place(revision: Revision) -> str:
    if revision.tree is None and revision.commit is None:
        return "a folder outside git"
    if not revision.working_tree:
        return f"commit {commit_text(revision.commit)}"
    state = "dirty" if revision.dirty else "clean"
    tree = f", tree {commit_text(revision.tree)}" if revision.tree is not None else ""
    return f"working tree ({state}{tree})"


def findings_document(
    found: Iterable[tuple[Diagnostic, tuple[str, ...]]],
    *,
    bundle: str | None,
    revision: Revision,
    target: str | None = None,
    targets: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """`validate -o diagnostics`. `targets`: all that were resolved; a finding that only some have names them."""
    items = list(found)
    document = diagnostics_document([item for item, _ in items], bundle=bundle, target=target, source=_source(revision))
    if targets is None:
        return document
    named = [{**diagnostic_document(item), **({"targets": list(names)} if names else {})} for item, names in items]
    return {**document, "targets": list(targets), "diagnostics": named}


def _source(revision: Revision) -> dict[str, Any]:
    return {
        "commit": revision.commit,
        "tree": revision.tree,
        "ref": revision.ref,
        "remote": revision.remote,
        "dirty": bool(revision.dirty),
        "working_tree": revision.working_tree,
    }
