"""Options that commands share, so that a flag means, reads and helps the same everywhere.

Typer reads options from a function's signature and knows no inheritance, so `command` adds the shared ones to it.
"""

import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperOption

from bundlectl.model.errors import UsageError


class Colour(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Output(StrEnum):
    """Form of the result."""

    TEXT = "text"
    JSON = "json"


class StreamOutput(StrEnum):
    """Form of the result where a stream of events is offered too."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


class Common(NamedTuple):
    """Values of the options that every command takes."""

    chdir: Annotated[Path | None, typer.Option("--chdir", "-C", metavar="DIR", help="Act as if started in DIR.")] = None
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", metavar="NAME", help="Target; else BUNDLECTL_TARGET, else the default target."),
    ] = None
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="Value of a variable; may be repeated.")
    ] = None
    var_file: Annotated[
        Path | None, typer.Option("--var-file", metavar="FILE", help="Values of variables, as YAML or JSON.")
    ] = None
    bundle_root: Annotated[
        Path | None,
        typer.Option("--bundle-root", metavar="DIR", help="Folder of the bundle file; else searched upwards."),
    ] = None
    quiet: Annotated[
        int,
        typer.Option("--quiet", "-q", count=True, show_default=False, help="Less output; twice: nothing on success."),
    ] = 0
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False
    color: Annotated[Colour, typer.Option("--color", help="When to colour.")] = Colour.AUTO
    no_color: Annotated[bool, typer.Option("--no-color", help="Same as --color never.")] = False
    no_progress: Annotated[bool, typer.Option("--no-progress", help="A line per event, no live display.")] = False
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask; fail where an answer is needed.")] = False
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="Treat the source as hostile: run nothing of it, ask nothing for it.")
    ] = False
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing over a network: recorded state only.")] = False
    ref: Annotated[
        str | None, typer.Option("--ref", metavar="REV", help="Read the bundle at this commit, branch or tag.")
    ] = None
    worktree: Annotated[bool, typer.Option("--worktree", help="Read the working tree, uncommitted files included.")] = (
        False
    )
    allow_unknown_fields: Annotated[
        bool, typer.Option("--allow-unknown-fields", help="Pass unknown fields of jobs through untouched.")
    ] = False
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="KIND", help="Run this code of the tree: python, build, scripts."),
    ] = None
    python_env: Annotated[
        list[str] | None,
        typer.Option("--python-env", metavar="NAME", help="Environment variable that Python of the bundle sees."),
    ] = None
    lookups: Annotated[
        Path | None, typer.Option("--lookups", metavar="FILE", help="Ids for lookup variables: kind, name, id.")
    ] = None
    cluster_id: Annotated[
        str | None, typer.Option("--cluster-id", metavar="ID", help="Cluster in place of the compute of tasks.")
    ] = None


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="Form of the result.")]
StreamOption = Annotated[StreamOutput, typer.Option("--output", "-o", help="Form of the result; jsonl: events.")]
ApproveOption = Annotated[bool, typer.Option("--auto-approve", help="Do not ask before it is done.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; recorded with what is done.")]

_SOURCE = ("ref", "worktree", "allow_unknown_fields", "allow", "python_env", "lookups", "cluster_id")


def application(**commands: Callable[..., int]) -> typer.Typer:
    """A Typer application: one command when given as `main`, else sub-commands by name."""
    app = typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, function in commands.items():
        app.command(name, cls=_Command)(function)
    return app


class _Command(TyperCommand):
    """A command that takes an option of one value once: the last of two would win without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for param in {id(each): each for each in given}.values():
            many = getattr(param, "multiple", False) or getattr(param, "count", False)
            flag = getattr(param, "is_flag", False)
            if isinstance(param, TyperOption) and not (many or flag) and given.count(param) > 1:
                raise UsageError(f'"{max(param.opts, key=len)}" given twice', hint="it takes one value")
        return super().parse_args(ctx, args)


def command(function: Callable[..., int], *, source: bool = True) -> Callable[..., int]:
    """`function(common, own options...)` as a function whose signature has the shared options after its own.

    `source=False` leaves out the flags that choose a tree.
    """
    own = [item for item in inspect.signature(function).parameters.values() if item.name != "common"]
    annotations = Common.__annotations__
    names = [name for name in Common._fields if source or name not in _SOURCE]
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=Common._field_defaults[name],
            annotation=annotations[name],
        )
        for name in names
    ]

    def invoke(**values: Any) -> int:
        common = Common(**{name: values.pop(name) for name in names})
        return function(common, **values)

    invoke.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]  # Typer reads this
    invoke.__annotations__ = {item.name: item.annotation for item in [*own, *shared]}
    invoke.__doc__ = function.__doc__
    invoke.__name__ = function.__name__
    return invoke
