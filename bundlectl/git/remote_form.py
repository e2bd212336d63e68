"""Under which names a remote keeps state, runs and code: refs of our own, or branches for hosts that take nothing else.

Called by state.remotes. What is there decides; where nothing is there yet, the first write asks the host with a probe
(safety 1.8). Two clients must never found two states, so every doubt is an error.
"""

from collections.abc import Callable

from bundlectl.base.clock import Clock
from bundlectl.base.identifiers import random_id
from bundlectl.git.chain import commit_item, encode_name
from bundlectl.git.pack import tree_item, write_items
from bundlectl.git.remote import Pushed, Remote
from bundlectl.model.errors import Refused, RepositoryError

REF, BRANCH, AUTO = "ref", "branch", "auto"
STATE, RUNS, CODE = "state", "runs", "code"
_TWO_STATES, _PUSH_REFUSED = "BND413", "BND613"


class Naming:
    """Names of the refs of one target on one remote. `form`: ref, branch, or auto until it is known."""

    def __init__(
        self, remote: Remote, bundle: str, target: str, form: str, clock: Clock, notify: Callable[[str], None]
    ) -> None:
        self._remote = remote
        self._name = f"{encode_name(bundle)}/{encode_name(target)}"
        self._wanted = form
        self._form: str | None = None if form == AUTO else form
        self._clock = clock
        self._notify = notify

    @property
    def form(self) -> str | None:
        """The form that is in use; None while nothing has said it."""
        return self._form

    def ref(self, kind: str) -> str:
        """Full name of a ref: of the form that is in use, else of our own refs."""
        return self._ref(kind, self._form or REF)

    def tips(self, kind: str) -> dict[str, str]:
        """What is on the remote of this kind, and of the state, under both names: one exchange.

        Raises Refused when there are two states, or one under another name than the bundle says.
        """
        refs = [self._ref(one, form) for one in dict.fromkeys((STATE, kind)) for form in (REF, BRANCH)]
        found = self._remote.tips(refs)
        there = [form for form in (REF, BRANCH) if self._ref(STATE, form) in found]
        if len(there) == 2:
            raise Refused(
                f"there are two states: {self._ref(STATE, REF)} and {self._ref(STATE, BRANCH)} on remote "
                f'"{self._remote.address.shown}"',
                code=_TWO_STATES,
                hint="find out which one the last deploys wrote (git log), and delete the other one by hand",
            )
        if there and self._wanted not in (AUTO, there[0]):
            raise Refused(
                f"the state is kept as {self._ref(STATE, there[0])}, and bundlectl.state.form says {self._wanted}",
                code=_TWO_STATES,
                hint=f"set the form to {there[0]}, or move the state to {self._ref(STATE, self._wanted)} by hand",
            )
        if there:
            self._form = there[0]
        return found

    def settle(self) -> None:
        """Decides the form before the first write, and says which one it took. Raises what a push raises."""
        if self._form is not None:
            return
        refused = self._probe()
        self._form = BRANCH if refused is not None else REF
        why = "the remote takes it" if refused is None else f"the remote takes no refs of ours ({_first_line(refused)})"
        self._notify(f'state on remote "{self._remote.address.shown}": {self.ref(STATE)}; {why}')

    def _ref(self, kind: str, form: str) -> str:
        return f"refs/bundlectl/{kind}/{self._name}" if form == REF else f"refs/heads/bundlectl-{kind}/{self._name}"

    def _probe(self) -> Pushed | None:
        """Creates, moves and deletes a ref of a random name. The refusal of the name; None when all went well."""
        cache = self._remote.cache
        ref = f"refs/bundlectl/probe/{random_id()}"
        tree = tree_item((), cache.algorithm)
        first = commit_item(None, tree.id, "probe\n", self._clock.now_ms(), cache.algorithm)
        second = commit_item(first.id, tree.id, "probe\n", self._clock.now_ms(), cache.algorithm)
        write_items(cache.git, [tree, first, second], cache.algorithm)
        made = self._remote.push(ref, first.id, None)
        if made.name_refused:
            return made
        _must(made, "create")
        try:
            if self._remote.tips([ref]).get(ref) != first.id:
                raise RepositoryError(
                    f'remote "{self._remote.address.shown}" takes refs/bundlectl/* and does not show them again',
                    code=_PUSH_REFUSED,
                    detail="A state that nobody can read would be written there. Nothing was recorded.",
                    hint="let it show refs/bundlectl (uploadpack.hideRefs), or set bundlectl.state.form: branch",
                )
            _must(self._remote.push(ref, second.id, first.id), "move")
            if self._remote.push(ref, first.id, None).outcome == "done":
                raise RepositoryError(
                    f'remote "{self._remote.address.shown}" moves a ref whatever it was before, so it keeps no state',
                    code=_PUSH_REFUSED,
                    hint="name another remote in bundlectl.state.remote",
                )
        finally:
            self._delete(ref)
        return None

    def _delete(self, ref: str) -> None:
        tip = self._remote.tips([ref]).get(ref)
        if tip is None or self._remote.push(ref, None, tip).outcome != "done":
            self._notify(f"{ref} was made to try the remote out and could not be deleted; delete it by hand")


def _must(pushed: Pushed, what: str) -> None:
    if pushed.outcome == "done":
        return
    if pushed.refusal is not None:
        raise pushed.refusal
    raise RepositoryError(f"the remote did not {what} a ref to try it out: {_first_line(pushed)}", code="BND611")


def _first_line(pushed: Pushed) -> str:
    return next((line.strip() for line in pushed.said.splitlines() if line.strip()), "no reason given")
