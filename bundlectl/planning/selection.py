"""Which jobs a command is about: --select and --exclude as patterns over addresses, --changed-since as keys. Pure.

Called by operations and planning.planner. A pattern is `jobs.key`, `resources.jobs.key` or `key`, with `*`, `?` and
`[...]`; one option may hold several, with commas between.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.model.errors import NotFound
from bundlectl.model.location import key_of

_GLOB = "*?["


class Selection(NamedTuple):
    """Patterns over keys. Without `select` every job is meant; `exclude` takes away from what is selected."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None  # keys that a comparison found, sorted; None when none was made

    @classmethod
    def of(cls, select: Iterable[str], exclude: Iterable[str]) -> "Selection":
        """From the values of the two options."""
        return cls(_patterns(select), _patterns(exclude))

    @classmethod
    def of_document(cls, value: Any) -> "Selection":
        """From a saved plan. What has another form selects nothing else than all: then the plan does not compare."""
        if not isinstance(value, Mapping):
            return cls()
        only = value.get("only")
        return cls(_texts(value.get("select")), _texts(value.get("exclude")), None if only is None else _texts(only))

    def has(self, *names: str) -> bool:
        """Whether a job is meant, by the keys that it has or had."""
        chosen = not self.select or any(_matches(key, self.select) for key in names)
        if self.only is not None:
            chosen = chosen and any(key in self.only for key in names)
        return chosen and not any(_matches(key, self.exclude) for key in names)

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.select and not self.exclude and self.only is None

    def check(self, keys: Iterable[str]) -> None:
        """Raises NotFound for a pattern of --select that no job fits: a misspelt name must not read as "no changes"."""
        known = sorted(keys)
        for pattern in self.select:
            if any(fnmatchcase(key, pattern) for key in known):
                continue
            is_glob = any(character in pattern for character in _GLOB)
            near = None if is_glob else nearest(pattern, known)
            what = f'no job fits "jobs.{pattern}"' if is_glob else f'no job "jobs.{pattern}"'
            shown = ", ".join(f"jobs.{key}" for key in known[:10]) + (", ..." if len(known) > 10 else "")
            raise NotFound(
                what + (f'; did you mean "jobs.{near}"?' if near else ""),
                hint=f"jobs: {shown}" if shown else "neither side has a job",
            )


EVERYTHING = Selection()


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _patterns(given: Iterable[str]) -> tuple[str, ...]:
    words = [word.strip() for text in given for word in text.split(",")]
    return tuple(dict.fromkeys(key_of(word) for word in words if word))


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)
