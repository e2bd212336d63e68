"""Where the value of one field comes from: the chain that `bundlectl explain` shows.

Made by config.origins and operations.explain, shown by render.explain_text. Data only.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from bundlectl.model.location import FieldPath, SourceSpan
from bundlectl.model.plan import ABSENT


class Role:
    """What a link of a chain did to the value: the words of the JSON form, whose meaning is in the schema."""

    BASE = "base"
    INCLUDE = "include"
    OVERRIDE = "override"
    VARIABLE = "variable"
    LOOKUP = "lookup"
    PRESET = "preset"
    MODE = "mode"
    COMPUTE = "compute_override"
    RUN_AS = "run_as"
    PERMISSIONS = "permissions"
    DEFAULT = "default"
    TOOL = "tool"
    PATH = "path"
    IDENTITY = "identity"
    GIT = "git"
    PYTHON = "python"
    ANNOTATION = "annotation"
    INVOKER = "invoker"
    REMOVED = "removed"


ROLES = tuple(value for name, value in vars(Role).items() if name.isupper())


class Link(NamedTuple):
    """One link: what the value was after it, and where that is written."""

    value: Any  # ABSENT when the field was taken away
    role: str
    raw: str | None = None  # as written, when references in it were replaced
    span: SourceSpan | None = None
    note: str = ""  # for people: what `role` alone does not say
    path: FieldPath | None = None  # the field that this link is about, when it is not the one that was asked for
    wins: bool = False  # the value is this link's
    overridden: bool = False  # a newer link replaced it


class Rule(NamedTuple):
    """How the field is compared between what was deployed and what is to be."""

    compared_as: str
    text: str
    behaviours: tuple[tuple[str, str, str], ...] = ()  # behaviour, reason and why, as in the field table


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A field of a bundle, resolved for one target."""

    path: FieldPath  # in full: resources, jobs, x, ...
    target: str | None
    value: Any = ABSENT  # ABSENT: not set
    sensitive: bool = False
    chain: tuple[Link, ...] = ()  # newest first
    recorded: Any = ABSENT  # ABSENT: not recorded
    deployment: int | None = None  # serial of the deployment that recorded it
    observed: Any = ABSENT  # on the backend
    was_observed: bool = False  # False: the backend was not asked, or does not have the job
    rule: Rule | None = None  # None: not compared by itself
