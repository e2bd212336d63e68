"""What `diff` was asked to compare: words of the command line as two points, before anything is opened.

Called by operations.diff. Whether a commit, target or deployment exists is found out by operations.diff_sides.
"""

from collections.abc import Sequence
from typing import NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.model.errors import UsageError

REF, WORKTREE, TARGET, RECORDED, DEPLOYMENT, OBSERVED, SOURCE = (
    "ref", "worktree", "target", "recorded", "deployment", "observed", "source",
)  # fmt: skip
_NAMED = (REF, TARGET, RECORDED, DEPLOYMENT, OBSERVED)
_FORMS = "a commit, ref:REV, target:NAME, recorded:TARGET, deployment:N, observed:TARGET or worktree"


class Asked(NamedTuple):
    """One point as asked for. `name`: commit, target or number; nothing for `worktree`, and where the target of the
    command is meant.
    """

    kind: str  # `source`: what a plan would read, by --ref, --worktree or the rule of the target
    name: str = ""
    merge_with: str = ""  # a commit: the point is where `name` and this one went apart

    @property
    def text(self) -> str:
        """As it can be typed; `source` is what stands for no word."""
        return f"{self.kind}:{self.name}" if self.name and self.kind != SOURCE else self.kind


class AskedPair(NamedTuple):
    """Both points, in the order of old and new."""

    left: Asked
    right: Asked


def parse(words: Sequence[str], target: str | None) -> AskedPair:
    """No word: what is recorded of `target` (None: the default target) and the source. One: that and the source, or a
    range of commits. Two: those. Raises UsageError.
    """
    if len(words) == 1 and _is_range(words[0]):
        return _range(words[0])
    for word in words:
        if _is_range(word):
            raise UsageError(f'"{word}" names both sides already', hint="bundlectl diff A..B, or bundlectl diff A B")
    points = [_point(word) for word in words]
    left = points[0] if points else Asked(RECORDED, target or "")
    # What was deployed to a target is compared with the bundle for that target.
    right = points[1] if len(points) > 1 else Asked(SOURCE, left.name if left.kind in (RECORDED, OBSERVED) else "")
    return AskedPair(left, right)


def _is_range(word: str) -> bool:
    return ".." in word and word.partition(":")[0] not in _NAMED


def _range(word: str) -> AskedPair:
    """`A..B`, and `A...B` from where B left A; a side that is left out is HEAD, as in git."""
    dots = "..." if "..." in word else ".."
    old, _, new = word.partition(dots)
    old, new = old or "HEAD", new or "HEAD"
    if ".." in new or new.startswith("."):
        raise UsageError(f'not a range of two commits: "{word}"', hint="bundlectl diff A..B")
    return AskedPair(Asked(REF, old, new if dots == "..." else ""), Asked(REF, new))


def _point(word: str) -> Asked:
    if word == WORKTREE:
        return Asked(WORKTREE)
    kind, colon, name = word.partition(":")
    if not colon:
        return Asked(REF, word)
    if kind not in _NAMED:
        near = nearest(kind, _NAMED)
        if near is None:
            return Asked(REF, word)  # no kind of ours: what is wrong with it as a commit is said where commits are read
        raise UsageError(f'no "{kind}:" to compare; did you mean "{near}:{name}"?', hint=_FORMS)
    if not name and kind not in (RECORDED, OBSERVED):
        raise UsageError(f'"{word}" names nothing', hint=_FORMS)
    if kind == DEPLOYMENT and not (name.isascii() and name.isdigit()):
        raise UsageError(
            f'"{word}" is not the number of a deployment', hint="bundlectl history lists them: deployment:41"
        )
    return Asked(kind, name)
