"""state list, show, pull, unlock, accept-rewrite, gc."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bundlectl.base.clock import parse_rfc3339
from bundlectl.base.files import write_atomic
from bundlectl.cli.options import Common, Output, OutputOption, ReasonOption, application, command
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.errors import InputError
from bundlectl.operations import state as operation
from bundlectl.operations.state import Packed, TargetState
from bundlectl.render.documents import dumps, result_document
from bundlectl.render.escape import visible
from bundlectl.render.state_text import packed_text, state_text, states_text

AtOption = Annotated[int | None, typer.Option("--at", min=1, metavar="N", help="As deployment N left it.")]


def list_states(common: Common, output: OutputOption = Output.TEXT) -> int:
    """List the state of every target: deployment, commit, who holds it, where it is kept."""
    session = open_session(common, output)
    with session.progress():
        states = operation.list_states(session.context)
    if not _shown_as_document(session, states):
        session.console.result(states_text([state.document() for state in states]))
    return 0


def show(common: Common, at: AtOption = None, output: OutputOption = Output.TEXT) -> int:
    """Show the state of a target, and who holds it."""
    session = open_session(common, output)
    with session.progress():
        found = operation.show_state(session.context, at)
    _show(session, found)
    return 0


def pull(
    common: Common,
    at: AtOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to this file.")] = None,
) -> int:
    """Print the whole recorded state of a target as JSON."""
    session = open_session(common, Output.JSON)
    with session.progress():
        pulled = operation.pull_state(session.context, at)
    document = result_document("state-document", **pulled)
    if out is None:
        session.console.document(document)
        return 0
    try:
        write_atomic((common.chdir or Path()) / out, dumps(document).encode("utf-8"))
    except OSError as error:
        raise InputError(f'cannot write "{out}": {error.strerror or error}', code="BND623") from error
    session.console.say(f"Wrote {visible(str(out))}")
    return 0


def unlock(
    common: Common,
    deployment: Annotated[str, typer.Argument(metavar="DEPLOY_ID", help="Id of the deployment that holds the target.")],
    holder_is_dead: Annotated[
        bool, typer.Option("--holder-is-dead", help="Although its lease lives: I know that it has ended.")
    ] = False,
    reason: ReasonOption = None,
    output: OutputOption = Output.TEXT,
) -> int:
    """Shut out a deploy that was cut off. The next deploy recovers what it left."""
    session = open_session(common, output)
    why = _reason(session, reason)
    with session.progress():
        done = operation.unlock(session.context, deployment, holder_is_dead=holder_is_dead, reason=why)
    if not _shown_as_document(session, [done]):
        session.console.result(f"Unlocked {visible(done.target)}. The next deploy finishes what was left open.\n")
    return 0


def accept_rewrite(
    common: Common,
    version: Annotated[
        str, typer.Argument(metavar="SHA", help="The newest state commit, or absent when the ref is gone.")
    ],
    reason: ReasonOption = None,
    output: OutputOption = Output.TEXT,
) -> int:
    """Accept a state whose history was rewritten, by the name of its newest commit."""
    session = open_session(common, output)
    why = _reason(session, reason)
    with session.progress():
        done = operation.accept_rewrite(session.context, version, reason=why)
    states = [done] if done is not None else []
    if not _shown_as_document(session, states):
        text = (
            f"Accepted: the state of {visible(done.target)} is {visible(done.tip or 'absent')} now.\n" if done else ""
        )
        session.console.result(text or "Nothing to accept: the history was not rewritten.\n")
    return 0


def gc(common: Common, output: OutputOption = Output.TEXT) -> int:
    """Pack the caches of state that is kept on remotes."""
    session = open_session(common, output)
    with session.progress():
        done = operation.pack_caches(session.context)
    if session.output == "json":
        session.console.document(_packed_document(done))
    else:
        session.console.result(packed_text((str(item.path), item.before, item.after) for item in done))
    return 0


def _packed_document(done: Sequence[Packed]) -> dict[str, object]:
    caches = [{"path": str(item.path), "bytes_before": item.before, "bytes_after": item.after} for item in done]
    return result_document("state", targets=[], caches=caches)


def _show(session: Session, found: TargetState) -> None:
    """`state show`."""
    if _shown_as_document(session, [found]):
        return
    document = found.document()
    apply = document["open_apply"]
    begun = parse_rfc3339(apply["begun_at"]) if apply is not None else None
    session.console.result(state_text(document, now_ms=session.clock.now_ms(), begun_ms=begun))


def _shown_as_document(session: Session, states: Sequence[TargetState]) -> bool:
    if session.output != "json":
        return False
    session.console.document(result_document("state", targets=[state.document() for state in states]))
    return True


def _reason(session: Session, given: str | None) -> str:
    """The reason that was given; asked for where somebody is there to answer."""
    if given is None and session.console.may_prompt:
        given = session.console.ask("Why? It is recorded in the state: ")
    return operation.checked_reason(given)


state_app = application(
    list=command(list_states),
    show=command(show),
    pull=command(pull),
    unlock=command(unlock),
    **{"accept-rewrite": command(accept_rewrite)},
    gc=command(gc),
)
