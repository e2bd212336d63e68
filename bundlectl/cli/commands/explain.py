"""explain: where the value of a field comes from, or what a diagnostic code means. Offline."""

import re
from typing import Annotated

import typer

from bundlectl.base.suggest import nearest
from bundlectl.cli.environment import open_console
from bundlectl.cli.options import Common, Output, OutputOption, application, command
from bundlectl.cli.results import print_findings
from bundlectl.cli.wiring import open_session
from bundlectl.model.codes import CODES
from bundlectl.model.errors import UsageError
from bundlectl.operations.explain import explain as explain_field
from bundlectl.render.documents import result_document
from bundlectl.render.explain_text import explain_document, explain_text

_CODE = re.compile(r"[A-Za-z]{2,4}-?[0-9]{1,4}")


def explain(
    common: Common,
    name: Annotated[
        str, typer.Argument(metavar="FIELD|CODE", help="A field: jobs.etl.tasks[load].max_retries; or a code: BND204.")
    ],
    output: OutputOption = Output.TEXT,
) -> int:
    """Show where the value of a field comes from, or explain a diagnostic code. Needs no backend."""
    if _CODE.fullmatch(name):
        return _explain_code(common, name, output)
    session = open_session(common, output)
    explained = explain_field(session.context, name, variable_file=common.var_file)
    broken = explained.findings.has_errors
    if session.output == "json":
        found = explained.findings if broken else ()
        session.console.document(explain_document(explained.explanation, found))
    else:
        session.console.result(explain_text(explained.explanation, style=session.console.style), paged=True)
    if broken:
        print_findings(session, explained.loading, explained.findings)
    return 1 if broken else 0


def _explain_code(common: Common, code: str, output: Output) -> int:
    console = open_console(common)
    wanted = code.upper()
    entry = CODES.get(wanted)
    if entry is None:
        near = nearest(wanted, CODES)
        raise UsageError(
            f'no code "{code}"' + (f'; did you mean "{near}"?' if near else ""), hint="codes look like BND204"
        )
    if output is Output.JSON:
        console.document(result_document("explain", code=wanted, title=entry.title, explanation=entry.explanation))
    else:
        console.result(f"{wanted}: {entry.title}\n\n{entry.explanation}")
    return 0


explain_app = application(main=command(explain))
