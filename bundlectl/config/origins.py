"""The chain behind a field: where it is written, what replaced it, and what the loading steps made of it.

Called by operations.explain with a watched load. What a step is called and which field it took its value from is a
table (STEPS_SAID); that a step did something is seen by comparing the field before and after it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bundlectl.config.node import Node, is_written, lookup, plain
from bundlectl.config.step_words import BY_NOBODY, KEYING, RESOLVING, SHAPING, STEPS_SAID, TOLD, Said
from bundlectl.config.trace import Seen, Trace
from bundlectl.config.written import Piece, Places, path_of
from bundlectl.model.explanation import Link, Role
from bundlectl.model.job import PRINCIPAL_FIELDS
from bundlectl.model.location import FieldPath, Keyed, SourceSpan, path_short
from bundlectl.model.plan import ABSENT

_MOST_LINKS = 200  # of one chain: text that doubles with each variable has millions
_MOST_FIELDS = 100  # in one chain
_MOST_NAMED = 8  # members of a map
_CHOSEN = (("bundle", "target"), ("bundle", "environment"))


class Invoker(NamedTuple):
    """What only the invoker's side knows about values that no file of the bundle gives."""

    user_from: str = ""  # who said who the user is
    target_from: str = ""  # who chose the target
    given: Mapping[str, tuple[str, SourceSpan | None]] = {}  # variable -> its source in words, and where it is written


class Origins:
    """Chains of fields in one watched load."""

    def __init__(self, trace: Trace, invoker: Invoker) -> None:
        self._trace = trace
        self._invoker = invoker
        self._places = Places(trace)

    def chain(self, path: FieldPath) -> tuple[Link, ...]:
        """The links behind a field, newest first; empty for one that nobody set."""
        links = self._chain(path, {path})
        marked = [link._replace(path=None if link.path == path else link.path) for link in links[:_MOST_LINKS]]
        return (marked[0]._replace(wins=True), *marked[1:]) if marked else ()

    def _chain(self, path: FieldPath, seen: set[FieldPath]) -> list[Link]:
        steps, written = self._steps(path, seen), self._written(path, seen)
        if path in _CHOSEN and not steps:
            chosen = lookup(self._trace.node, path)
            note = self._invoker.target_from or "the chosen target"
            return [Link(chosen.value, Role.TOOL, note=note, path=path)] if chosen is not None else []
        if path[0] == "include":
            return self._included(path)
        if not steps and not written and path[:1] == ("variables",) and path[2:] == ("value",):
            return self._unanswered(path)
        if written and not steps:
            written[0] = written[0]._replace(value=self._shaped(path, written[0].value))
        return [*steps, *written]

    def _included(self, path: FieldPath) -> list[Link]:
        """A list of files is found by its patterns, whatever is written where."""
        found = lookup(self._trace.node, path)
        written = self._written(("include",), set())
        if found is None or not written:
            return []
        return [Link(plain(found), Role.TOOL, note="what the patterns found", path=path), *written]

    def _unanswered(self, path: FieldPath) -> list[Link]:
        """A variable whose lookup nobody answered has no value."""
        written = self._written((*path[:2], "lookup"), set())
        note = "a lookup that no backend was asked for"
        return [link._replace(value=ABSENT, role=Role.LOOKUP, note=note, path=path) for link in written[:1]]

    def _shaped(self, path: FieldPath, value: Any) -> Any:
        """The value with the type of its field, which a text behind a reference gets last."""
        for step in self._trace.seen:
            if step.name == SHAPING:
                before, after = _states(step, path)
                return after[-1] if after and before != after else value
        return value

    # Places ----------------------------------------------------------------------------------------------------

    def _written(self, path: FieldPath, seen: set[FieldPath]) -> list[Link]:
        places = self._places.written(path)
        mine = [piece for piece in places.pieces if piece.node.value is not None] or list(places.pieces[-1:])
        mine = [_further(piece, mine[0]) for piece in mine]
        links: list[Link] = []
        newest = True
        for piece in reversed(mine):
            container = piece.node.is_map or piece.node.is_list
            links += self._piece(piece, path, seen, causes=newest, overridden=not newest and not container)
            newest = False
        for piece in reversed(places.replaced):
            links += self._piece(piece, path, seen, causes=False, overridden=True)
        return links

    def _piece(
        self, piece: Piece, path: FieldPath, seen: set[FieldPath], *, causes: bool, overridden: bool
    ) -> list[Link]:
        """The references that lead to a piece, the piece itself, and what its own references lead to."""
        resolution = self._places.resolved(piece.node, piece.path)
        value = plain(resolution.node)
        links = [
            Link(
                value,
                _named_role(passage.role, passage.path),
                raw=passage.node.value,
                span=_place(passage.node.span),
                note=self._note(passage.role, passage.path),
                path=passage.path if passage.path[:2] != path[:2] else path,
                overridden=overridden,
            )
            for passage in piece.through
        ]
        text = piece.node.value
        raw = text if isinstance(text, str) and resolution.references else None
        role, note, span = piece.role, self._note(piece.role, piece.path), piece.node.span
        if role in (Role.INVOKER, Role.LOOKUP) and len(piece.path) > 1:
            named = self._invoker.given.get(str(piece.path[1]))
            note = f'variable "{piece.path[1]}" from {named[0] if named else piece.node.origin}'
            span = named[1] if named is not None and named[1] is not None else span
        at = piece.path if piece.through or piece.path[:2] != path[:2] else path
        links.append(Link(value, _named_role(role, at), raw, _place(span), note, at, overridden=overridden))
        if causes and not isinstance(text, dict | list):
            for reference in resolution.references:
                links += self._cause(path_of(reference), seen)
        return links

    def _cause(self, path: FieldPath, seen: set[FieldPath]) -> list[Link]:
        """The chain of another field that a value was taken from; once in a chain, however often it is used."""
        if path in seen or len(seen) > _MOST_FIELDS:
            return []
        seen.add(path)
        return self._chain(path, seen)

    def _note(self, role: str, path: FieldPath) -> str:
        variable = f'variable "{path[1]}"' if path[:1] == ("variables",) and len(path) > 1 else ""
        if role == Role.OVERRIDE:
            words = f"override of target {self._trace.facts.target}"
            return f"{variable}, {words}" if variable else words
        if not variable:
            return "another file" if role == Role.INCLUDE else ""
        return f"{variable}, default" if path[2:3] in (("value",), ("default",)) else variable

    # Steps -----------------------------------------------------------------------------------------------------

    def _steps(self, path: FieldPath, seen: set[FieldPath]) -> list[Link]:
        """What the steps after the choice of a target did, newest first, each followed by what it took it from."""
        blocks: list[list[Link]] = []
        begun = False
        for step in self._trace.seen:
            if not begun:
                begun = step.name == "targets.apply"
                continue
            before, after = _states(step, path)
            told = step.name in TOLD and not (step.name == KEYING and before in ([], [None]))
            if before == after or told:
                continue
            value = after[-1] if after else ABSENT
            if step.name in RESOLVING or step.name == SHAPING:
                if blocks:
                    blocks[-1] = self._settled(blocks[-1], path, value, seen, resolving=step.name in RESOLVING)
                continue
            block = self._step(step, path, value, seen)
            if isinstance(value, dict | list):
                block = [block[0]._replace(note=_with_changes(block[0].note, before, after)), *block[1:]]
            blocks.append(block)
        return [link for block in reversed(blocks) for link in block]

    def _settled(
        self, block: list[Link], path: FieldPath, value: Any, seen: set[FieldPath], *, resolving: bool
    ) -> list[Link]:
        """A value that a step made, after its references were replaced or its type was."""
        first = block[0]
        if not resolving or not isinstance(first.value, str):
            return [first._replace(value=value), *block[1:]]
        found = self._places.resolved(Node(first.value, SourceSpan("", 0, 0)), path).references
        more = [link for reference in found for link in self._cause(path_of(reference), seen)]
        return [first._replace(value=value, raw=first.value), *more, *block[1:]]

    def _step(self, step: Seen, path: FieldPath, value: Any, seen: set[FieldPath]) -> list[Link]:
        said = STEPS_SAID.get(step.name, Said(Role.TOOL, step.name))
        if path[0] == "experimental":
            said = Said(Role.TOOL, "copied from python", lambda path, node: ("python", *path[2:]))
        if said.role == Role.PATH and not _found(step.before, path):
            said = Said(Role.DEFAULT, "defaulted by the tool")
        node = lookup(step.after, path)
        span = _place(node.span) if node is not None else None
        if value is ABSENT:
            return [Link(ABSENT, Role.REMOVED, note=said.taken, path=path)]
        link = Link(value, said.role, span=None if said.role in BY_NOBODY else span, note=said.note, path=path)
        if step.name == "workspace.folders":
            return self._folder(link, step, path, seen)
        if step.name == "workspace.identity":
            words = f": {self._invoker.user_from}" if self._invoker.user_from else ""
            return [link._replace(span=None, note=said.note + words)]
        if step.name == "jobs.override_compute" and path == ("bundle", "cluster_id"):
            flag = self._trace.facts.request.cluster_id is not None
            return [
                link._replace(role=Role.INVOKER, note="--cluster-id" if flag else "DATABRICKS_CLUSTER_ID", span=None)
            ]
        cause = said.cause(path, step.before)
        if cause is None:
            if step.name == "permissions.permissions":
                words = "who deploys" if self._is_deployer(path) else "permissions of the bundle, and who deploys"
                link = link._replace(note=words, span=None)
            return [link]
        more = self._cause(cause, seen)
        note = f"preset {path_short(cause[1:])}" if said.role == Role.PRESET else said.note
        link = link._replace(note=note, span=None)
        if not more:
            return [link]
        if more[0].value == value:  # the very value: one line says both
            words = ", ".join(text for text in (note, more[0].note) if text)
            return [more[0]._replace(role=said.role, note=words, path=path), *more[1:]]
        return [link, *more]

    def _folder(self, link: Link, step: Seen, path: FieldPath, seen: set[FieldPath]) -> list[Link]:
        given = lookup(step.before, path)
        if given is not None and given.value:
            return [link._replace(role=Role.PATH, note="in the workspace", span=None)]
        cause = STEPS_SAID[step.name].cause(path, step.before)
        return [link._replace(span=None), *(self._cause(cause, seen) if cause is not None else ())]

    def _is_deployer(self, path: FieldPath) -> bool:
        step = path[4] if len(path) > 4 else None
        user = self._trace.facts.request.user
        return isinstance(step, Keyed) and step.field in PRINCIPAL_FIELDS and step.value == user


def _named_role(role: str, path: FieldPath) -> str:
    """What the bundle itself says of a variable is its definition."""
    return Role.VARIABLE if role == Role.BASE and path[:1] == ("variables",) else role


def _further(piece: Piece, first: Piece) -> Piece:
    """A piece that comes after the first one, from another file of the bundle."""
    other = piece.role == Role.BASE and piece is not first and piece.node.file != first.node.file
    return piece._replace(role=Role.INCLUDE) if other else piece


def _with_changes(note: str, before: Sequence[Any], after: Sequence[Any]) -> str:
    """What was done to a map: the members that it did not have, or had with another value."""
    old, new = before[-1] if before else None, after[-1] if after else None
    if not isinstance(old, dict) or not isinstance(new, dict):
        return note
    names = [name for name in sorted({*old, *new}) if old.get(name, ABSENT) != new.get(name, ABSENT)]
    words = ", ".join(names[:_MOST_NAMED]) + (
        f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    )
    return f"{note}: {words}" if note else words


def _states(step: Seen, path: FieldPath) -> tuple[list[Any], list[Any]]:
    """The values at a path before and after a step. Several while list elements of one key are not merged yet."""
    before, after = _found(step.before, path), _found(step.after, path)
    if len(before) == len(after) and all(one is other for one, other in zip(before, after, strict=True)):
        return [], []
    return [plain(node) for node in before], [plain(node) for node in after]


def _found(node: Node, path: FieldPath) -> list[Node]:
    nodes = [node]
    for step in path:
        if isinstance(step, Keyed):
            elements = [child for node in nodes if node.is_list for child in node.value]
            nodes = [child for child in elements if _named(child, step)]
        elif isinstance(step, int):
            nodes = [child for node in nodes if node.is_list for child in node.value][step : step + 1]
        else:
            nodes = [child for node in nodes if (child := node.get(step)) is not None]
    return nodes


def _named(element: Node, step: Keyed) -> bool:
    member = element.get(step.field)
    if member is None or member.value is None:
        return element.is_map and step.value == ""
    return str(member.value) == step.value


def _place(span: SourceSpan) -> SourceSpan | None:
    return span if is_written(span) else None
