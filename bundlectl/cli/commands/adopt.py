"""init: a new bundle from a template."""

from pathlib import Path
from typing import Annotated

import typer

from bundlectl.cli.environment import open_console
from bundlectl.cli.options import Common, Output, OutputOption, application, command
from bundlectl.operations.scaffold import scaffold, templates
from bundlectl.render.deploy_text import init_text
from bundlectl.render.documents import init_document


def init(
    common: Common,
    template: Annotated[str, typer.Argument(help="Name of a template; --list shows them.")] = "minimal",
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder to create; default: the name.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the bundle; default: the folder's name.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the templates and stop.")] = False,
    output: OutputOption = Output.TEXT,
) -> int:
    """Create a bundle from a template. Nothing is fetched, no code of the template is run, no file is overwritten."""
    console = open_console(common)
    if show_list:
        known = templates()
        width = max(map(len, known)) + 2
        console.result("\n".join(f"{name:<{width}}{title}" for name, title in known.items()))
        return 0
    folder = (common.chdir or Path()) / (directory or Path(name or template))
    made = scaffold(template, folder, name)
    if output is Output.JSON:
        console.document(init_document(made.template, str(made.folder), made.files))
    else:
        console.result(init_text(str(made.folder), made.files))
    return 0


init_app = application(main=command(init, source=False))
