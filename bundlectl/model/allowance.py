"""What code of a repository the invoker allows to run: a value, and its text form.

Made by cli.permission from flags, environment and the user's own configuration, never from a bundle; read by the
operations that would run something. Decides nothing else.
"""

from collections.abc import Iterable
from typing import NamedTuple

KINDS = ("python", "build", "scripts")


class Allowance(NamedTuple):
    """Which kinds of code may run. `untrusted` and `restricted` say why none may, for messages."""

    python: bool = False  # functions of the bundle's `python` section
    build: bool = False  # build commands of artifacts
    scripts: bool = False  # hooks of `experimental.scripts`
    untrusted: bool = False  # the source is to be treated as hostile: nothing may run, nothing is asked
    restricted: bool = False  # the environment forbids it: DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION

    @property
    def kinds(self) -> list[str]:
        """The kinds that may run, as a manifest records them."""
        return [kind for kind in KINDS if getattr(self, kind)]


NOTHING = Allowance()


def parse(words: Iterable[str]) -> Allowance:
    """The allowance of words such as "python" or "python,build". Raises ValueError that is the unknown word."""
    given = [word.strip() for item in words for word in item.split(",") if word.strip()]
    unknown = next((word for word in given if word not in KINDS), None)
    if unknown is not None:
        raise ValueError(unknown)
    return Allowance(python="python" in given, build="build" in given, scripts="scripts" in given)
