"""validate, schema, explain: offline, without a backend and without credentials."""

from enum import StrEnum
from typing import Annotated

import typer

from bundlectl.base.resources import resource_folder
from bundlectl.base.suggest import nearest
from bundlectl.cli.environment import open_console
from bundlectl.cli.options import Common, application, command
from bundlectl.cli.results import print_findings
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.codes import CODES
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.errors import UsageError
from bundlectl.operations.load import Loading, load_for_validation
from bundlectl.render.deploy_text import validate_text
from bundlectl.render.documents import diagnostics_document, dumps, error_document
from bundlectl.render.resolved import resolved_text


class ValidateOutput(StrEnum):
    """Forms of the result of validate."""

    TEXT = "text"
    JSON = "json"
    DIAGNOSTICS = "diagnostics"


def validate(
    common: Common,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    output: Annotated[
        ValidateOutput, typer.Option("--output", "-o", help="json: the resolved bundle; diagnostics: the findings.")
    ] = ValidateOutput.TEXT,
) -> int:
    """Check a bundle for one target, offline. Reads the working tree, or --ref. Runs nothing of the repository."""
    session = open_session(common, output)
    loading = load_for_validation(session.context)
    findings = loading.loaded.diagnostics.settled(planning=False, strict=strict)
    _show(session, loading, findings, output.value)
    return 1 if findings.has_errors else 0


def _show(session: Session, loading: Loading, findings: Diagnostics, output: str) -> None:
    """`validate`: findings on stderr and the resolved bundle or a summary on stdout; or the findings as JSON."""
    bundle = loading.loaded.bundle
    name = bundle.name if bundle is not None else None
    target = bundle.target.name if bundle is not None else None
    if output == "diagnostics":
        document = diagnostics_document(findings, bundle=name, target=target)
        session.console.document(document)
        return
    print_findings(session, loading, findings, counted=output == "json" or bundle is None)
    if output == "json":
        session.console.document(_resolved(loading))
    elif bundle is not None:
        text = validate_text(
            bundle=bundle.name,
            jobs=len(bundle.jobs),
            targets=len(bundle.targets),
            files=len(bundle.files),
            revision=loading.tree.revision,
            unmanaged=bundle.unmanaged,
            diagnostics=list(findings),
        )
        session.console.result(text)


def _resolved(loading: Loading) -> str:
    """The resolved bundle as JSON, or an error document when no file could be read."""
    if loading.loaded.document is None:
        return dumps(error_document(loading.failure(loading.loaded.diagnostics)))
    return resolved_text(loading.loaded.document)


def schema(
    common: Common,
    kind: Annotated[str, typer.Argument(help="bundle, plan, deployment, run-manifest, ...")] = "bundle",
    show_list: Annotated[bool, typer.Option("--list", help="List the kinds and stop.")] = False,
) -> int:
    """Print the JSON Schema of a document that bundlectl reads or writes."""
    console = open_console(common)
    folder = resource_folder("schemas")
    known = sorted(path.name for path in folder.iterdir() if (path / "v1.json").is_file())
    if show_list:
        console.result("\n".join(known))
        return 0
    if kind not in known:
        near = nearest(kind, known)
        raise UsageError(f'no schema "{kind}"' + (f'; did you mean "{near}"?' if near else ""), hint=", ".join(known))
    console.result((folder / kind / "v1.json").read_text(encoding="utf-8").rstrip("\n"))
    return 0


def explain(common: Common, code: Annotated[str, typer.Argument(metavar="CODE", help="A code such as BND204.")]) -> int:
    """Explain a diagnostic code: what it means and what to do."""
    console = open_console(common)
    wanted = code.upper()
    entry = CODES.get(wanted)
    if entry is None:
        near = nearest(wanted, CODES)
        raise UsageError(
            f'no code "{code}"' + (f'; did you mean "{near}"?' if near else ""), hint="codes look like BND204"
        )
    console.result(f"{wanted}: {entry.title}\n\n{entry.explanation}")
    return 0


validate_app = application(main=command(validate))
schema_app = application(main=command(schema, source=False))
explain_app = application(main=command(explain, source=False))
