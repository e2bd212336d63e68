"""What the user may write for a commit: a ref or an id, checked before any process starts (security S14).

Called by repository. Pure: whether the name exists is asked later.
"""

import re

from bundlectl.model.errors import RepositoryError

_BAD_FORM = "BND606"

# `main~2`, `v1^`, `HEAD^2~1`: steps back from a name, with a bound on how far a number may go.
_STEPS = re.compile(r"(?:[~^][0-9]{0,6})*\Z")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_NOT_ONE = ("..", "@{", ":", "^{", "^!", "^@", "^-")
_FORBIDDEN = "?*[\\~^{}"
_MAX_BYTES = 1024


def check_ref(ref: str) -> None:
    """Refuses what cannot be the name of one commit. Raises RepositoryError BND606."""
    if ref.startswith("-"):
        raise _bad(f'a ref may not start with "-": "{ref}"')
    if not ref:
        raise _bad("a ref may not be empty")
    if len(ref.encode("utf-8", "surrogatepass")) > _MAX_BYTES:
        raise _bad(f'a ref has at most {_MAX_BYTES} bytes: "{ref[:40]}..."')
    if _CONTROL.search(ref):
        raise _bad(f'a ref may not contain spaces or control characters: "{ref}"')
    if any(part in ref for part in _NOT_ONE) or ref.startswith("^"):
        raise _bad(f'not a single commit: "{ref}"')
    steps = next(match for match in _STEPS.finditer(ref))
    name = ref[: steps.start()]
    if name != "@" and not _is_ref_name(name):
        raise _bad(f'not the name of a commit: "{ref}"')


def _is_ref_name(name: str) -> bool:
    """The rules of `git check-ref-format --allow-onelevel`."""
    parts = name.split("/")
    return (
        not any(character in name for character in _FORBIDDEN)
        and not name.endswith(".")
        and name != "@"
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
        and not any(part.startswith("-") for part in parts)
    )


def _bad(summary: str) -> RepositoryError:
    return RepositoryError(
        summary, code=_BAD_FORM, hint="name one commit: a branch, a tag, a commit id, HEAD, or HEAD~1"
    )
