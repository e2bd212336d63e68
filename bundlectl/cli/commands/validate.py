"""validate: check a bundle for one target or for all, offline, without a backend and without credentials."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from bundlectl.base.files import write_atomic
from bundlectl.cli.options import Common, application, command
from bundlectl.cli.results import print_findings
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.errors import UsageError
from bundlectl.operations.load import Loading, load_for_validation
from bundlectl.operations.stage import build_for_validation
from bundlectl.operations.validate import AllTargets, changes, locations, validate_all
from bundlectl.render.deploy_text import built_text
from bundlectl.render.documents import dumps, error_document
from bundlectl.render.resolved import resolved_text
from bundlectl.render.validate_text import findings_document, targets_text, validate_text


class ValidateOutput(StrEnum):
    """Forms of the result of validate."""

    TEXT = "text"
    JSON = "json"
    DIAGNOSTICS = "diagnostics"


def validate(
    common: Common,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    build: Annotated[
        bool, typer.Option("--build", help="Also build the artifacts; runs code of the tree: needs --allow build.")
    ] = False,
    all_targets: Annotated[bool, typer.Option("--all-targets", help="Resolve every target, not one.")] = False,
    include_locations: Annotated[
        bool, typer.Option("--include-locations", help="With -o json: say where things are written.")
    ] = False,
    diagnostics: Annotated[
        Path | None, typer.Option("--diagnostics", metavar="FILE", help="Also write the findings to FILE, as JSON.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Check again whenever a file changes, until interrupted.")
    ] = False,
    output: Annotated[
        ValidateOutput, typer.Option("--output", "-o", help="json: the resolved bundle; diagnostics: the findings.")
    ] = ValidateOutput.TEXT,
) -> int:
    """Check a bundle for one target, offline. Reads the working tree, or --ref.

    Runs nothing of the repository unless --allow says so.
    """
    if all_targets and common.target is not None:
        raise UsageError('"--all-targets" and "--target" exclude each other', code="BND620")
    if include_locations and output is not ValidateOutput.JSON:
        raise UsageError('"--include-locations" needs "-o json"')
    session = open_session(common, output)
    wish = _Wish(strict, build, all_targets, include_locations, diagnostics, output)
    if not watch:
        return _check(session, wish)
    if common.ref is not None or output is not ValidateOutput.TEXT:
        other = '"--ref"' if common.ref is not None else f'"-o {output}"'
        raise UsageError(f'"--watch" and {other} exclude each other', code="BND620")
    if not session.console.interactive:
        raise UsageError('"--watch" needs a terminal', hint="without it, validate checks once")
    for _ in changes(session.context):
        _check(session, wish)
        session.console.say("watching for changes; interrupt to end\n")
    return 0


class _Wish(NamedTuple):
    """What one check is asked for."""

    strict: bool
    build: bool
    all_targets: bool
    locations: bool
    file: Path | None  # where the findings go too
    output: ValidateOutput


def _check(session: Session, wish: _Wish) -> int:
    """One check, shown; the exit code."""
    if wish.all_targets:
        checked = validate_all(session.context, strict=wish.strict)
        _write_findings(session, wish, lambda: _all_findings(checked))
        _show_all(session, checked, wish.output, wish.locations)
        if wish.build and not checked.diagnostics.has_errors:
            _build(session, checked.loadings.values(), wish.output)
        return 1 if checked.diagnostics.has_errors else 0
    loading = load_for_validation(session.context)
    findings = loading.loaded.diagnostics.settled(planning=False, strict=wish.strict)
    _write_findings(session, wish, lambda: _findings(loading, findings))
    _show(session, loading, findings, wish.output, wish.locations)
    if wish.build and not findings.has_errors:
        _build(session, [loading], wish.output)
    return 1 if findings.has_errors else 0


def _write_findings(session: Session, wish: _Wish, make: Callable[[], dict[str, Any]]) -> None:
    """`--diagnostics FILE`. Raises UsageError BND623 when it cannot be written."""
    if wish.file is None:
        return
    path = session.context.start / wish.file
    try:
        write_atomic(path, dumps(make()).encode("utf-8"), mode=0o644)
    except OSError as error:
        raise UsageError(f'cannot write "{wish.file}": {error.strerror or error}', code="BND623") from error


def _findings(loading: Loading, findings: Diagnostics) -> dict[str, Any]:
    bundle = loading.loaded.bundle
    return findings_document(
        [(item, ()) for item in findings],
        bundle=bundle.name if bundle is not None else None,
        target=bundle.target.name if bundle is not None else None,
        revision=loading.tree.revision,
    )


def _all_findings(checked: AllTargets) -> dict[str, Any]:
    bundle = next((item.loaded.bundle for item in checked.loadings.values() if item.loaded.bundle is not None), None)
    return findings_document(
        [(item.diagnostic, item.targets) for item in checked.findings],
        bundle=bundle.name if bundle is not None else None,
        targets=tuple(checked.loadings),
        revision=checked.any_loading.tree.revision,
    )


def _build(session: Session, loadings: Iterable[Loading], output: ValidateOutput) -> None:
    """`--build`: what the artifacts are, by content. Raises Refused BND318 when nobody allowed it."""
    with session.progress():
        files = [file for loading in loadings for file in build_for_validation(session.context, loading)]
    if output is ValidateOutput.TEXT:
        session.console.result(built_text(dict.fromkeys(files)))


def _show(
    session: Session, loading: Loading, findings: Diagnostics, output: ValidateOutput, with_locations: bool
) -> None:
    """`validate`: findings on stderr and the resolved bundle or a summary on stdout; or the findings as JSON."""
    bundle = loading.loaded.bundle
    if output is ValidateOutput.DIAGNOSTICS:
        session.console.document(_findings(loading, findings))
        return
    as_json = output is ValidateOutput.JSON
    print_findings(session, loading, findings, counted=as_json or bundle is None)
    if as_json:
        session.console.document(_resolved(session, loading, with_locations))
    elif bundle is not None:
        session.console.result(validate_text(bundle, loading.tree.revision, list(findings)))


def _show_all(session: Session, checked: AllTargets, output: ValidateOutput, with_locations: bool) -> None:
    """The same for every target: what only some have names them."""
    bundles = {name: loading.loaded.bundle for name, loading in checked.loadings.items()}
    any_bundle = next((bundle for bundle in bundles.values() if bundle is not None), None)
    revision = checked.any_loading.tree.revision
    if output is ValidateOutput.DIAGNOSTICS:
        session.console.document(_all_findings(checked))
        return
    as_json = output is ValidateOutput.JSON
    print_findings(session, checked.any_loading, checked.diagnostics, counted=as_json or any_bundle is None)
    if as_json:
        session.console.document(_all_resolved(session, checked, with_locations))
    elif any_bundle is not None:
        found_in = {name: checked.of(name) for name in bundles}
        session.console.result(targets_text(bundles, revision, found_in, list(checked.diagnostics)))


def _resolved(session: Session, loading: Loading, with_locations: bool) -> str:
    """The resolved bundle as JSON, or an error document when no file could be read."""
    document = _document(session, loading, None, with_locations)
    return resolved_text(document) if document is not None else _failed(loading)


def _all_resolved(session: Session, checked: AllTargets, with_locations: bool) -> str:
    documents = {name: _document(session, loading, name, with_locations) for name, loading in checked.loadings.items()}
    if all(document is None for document in documents.values()):
        return _failed(checked.any_loading)
    return resolved_text({"targets": documents})


def _document(session: Session, loading: Loading, target: str | None, with_locations: bool) -> Mapping[str, Any] | None:
    document = loading.loaded.document
    if document is None or not with_locations:
        return document
    return {**document, "__locations": locations(session.context, loading, target)}


def _failed(loading: Loading) -> str:
    return dumps(error_document(loading.failure(loading.loaded.diagnostics)))


validate_app = application(main=command(validate))
