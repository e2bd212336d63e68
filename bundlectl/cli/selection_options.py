"""The selection flags: which jobs a command is about."""

from typing import Annotated

import typer

SelectOption = Annotated[
    list[str] | None, typer.Option("--select", metavar="JOB", help="Only these jobs: jobs.key, or a pattern.")
]
ExcludeOption = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="JOB", help="All but these jobs: jobs.key, or a pattern.")
]
ChangedSinceOption = Annotated[
    str | None,
    typer.Option(
        "--changed-since", metavar="REV", help="Only jobs that resolve to something else than at this commit."
    ),
]
