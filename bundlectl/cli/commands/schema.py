"""schema: the JSON Schema of a document that bundlectl reads or writes. Needs no bundle."""

from pathlib import Path
from typing import Annotated

import typer

from bundlectl.base.files import write_atomic
from bundlectl.base.resources import resource_folder
from bundlectl.base.suggest import nearest
from bundlectl.cli.environment import open_console
from bundlectl.cli.options import Common, Output, application, command
from bundlectl.model.errors import UsageError


def schema(
    common: Common,
    kind: Annotated[str, typer.Argument(help="bundle, job, plan, deployment, run-manifest, events, ...")] = "bundle",
    write: Annotated[
        Path | None, typer.Option("--write", metavar="PATH", help="Write it to this file, or into this folder.")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the kinds and stop.")] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Of the list; a schema is JSON in any case.")
    ] = Output.TEXT,
) -> int:
    """Print the JSON Schema of a document that bundlectl reads or writes."""
    console = open_console(common)
    folder = resource_folder("schemas")
    known = sorted(path.name for path in folder.iterdir() if (path / "v1.json").is_file())
    if show_list:
        if output is Output.JSON:
            console.document(known)
        else:
            console.result("\n".join(known))
        return 0
    if kind not in known:
        near = nearest(kind, known)
        raise UsageError(f'no schema "{kind}"' + (f'; did you mean "{near}"?' if near else ""), hint=", ".join(known))
    text = (folder / kind / "v1.json").read_text(encoding="utf-8")
    if write is None:
        console.document(text)
        return 0
    path = (common.chdir or Path()) / write
    if path.is_dir():
        path = path / f"{kind}.v1.json"
    try:
        write_atomic(path, text.encode("ascii"), mode=0o644)
    except OSError as error:
        raise UsageError(f'cannot write "{path}": {error.strerror or error}', code="BND623") from error
    console.say(f"wrote {path}")
    return 0


schema_app = application(main=command(schema, source=False))
