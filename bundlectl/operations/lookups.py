"""Ids behind lookup variables, asked of the target's backend (config language 7.4).

Called by operations.load for what a plan is made of; never for validate, and never offline, which goes for every
untrusted source.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bundlectl.config.request import Loaded
from bundlectl.model.errors import InputError
from bundlectl.operations.context import OperationContext

UNANSWERED = "BND238"


class _Wanted(NamedTuple):
    variable: str
    kind: str
    name: str


def ask_backend(context: OperationContext, loaded: Loaded) -> dict[str, dict[str, str]]:
    """What the backend answers to the open lookups of a bundle: kind -> name -> id. Empty when nothing is open.

    Raises InputError BND238 for a name that the backend does not have, or has more than once, and BackendError.
    """
    bundle = loaded.bundle
    if context.offline or bundle is None:
        return {}
    if not any(finding.code == UNANSWERED for finding in loaded.diagnostics):
        return {}
    wanted = list(_open(loaded.document or {}))
    if not wanted:
        return {}
    backend = context.open_backend(bundle)
    answers: dict[str, dict[str, str]] = {}
    for variable, kind, name in wanted:
        ids = backend.find(kind, name)
        if ids is None:
            continue  # not a kind that this backend can answer: the finding stands
        if len(ids) != 1:
            many = f"{len(ids)} of them" if ids else "none"
            raise InputError(
                f'the lookup of variable "{variable}" wants the {kind} named "{name}"; '
                f'backend "{bundle.target.backend}" has {many}',
                code=UNANSWERED,
                hint=f"give the id: --var {variable}=<id>, or --lookups FILE",
            )
        answers.setdefault(kind, {})[name] = ids[0]
    return answers


def _open(document: Mapping[str, Any]) -> Iterator[_Wanted]:
    """The lookups of a resolved configuration that have no answer yet, and whose name is known."""
    for variable, definition in (document.get("variables") or {}).items():
        if not isinstance(definition, Mapping) or definition.get("value") is not None:
            continue
        for kind, name in (definition.get("lookup") or {}).items():
            if isinstance(name, str) and name and "${" not in name:
                yield _Wanted(variable, kind, name)
