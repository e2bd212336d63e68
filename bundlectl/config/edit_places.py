"""Where a field has to be edited so that it gets another value: the very place that its value comes from.

Called by operations.drift_accept with a watched load. A value that no file says, or that several places make up, has no
such place; then it is said which those are.
"""

from typing import NamedTuple

from bundlectl.config.interpolation import references
from bundlectl.config.node import Node, is_written
from bundlectl.config.origins import Invoker, Origins
from bundlectl.config.resolution import PREFIXES
from bundlectl.config.trace import Trace
from bundlectl.config.writer_tree import LIST, MAP, SCALAR
from bundlectl.config.written import Piece, Places, path_of
from bundlectl.model.explanation import Link, Role
from bundlectl.model.location import FieldPath, SourceSpan, path_short

_BY_FILES = frozenset({Role.BASE, Role.INCLUDE, Role.OVERRIDE, Role.VARIABLE})
_CHAINED = 64  # references that lead to each other; a bundle that loads has no circles


class NoPlace(Exception):
    """A field cannot be edited at one place; says why, and where it is made."""

    def __init__(self, why: str, *spans: SourceSpan) -> None:
        super().__init__(why)
        self.spans = tuple(span for span in spans if is_written(span))


class EditPlace(NamedTuple):
    """A value in a file, or the map or list that it is a member or an element of."""

    span: SourceSpan  # of the value, map or list that is edited
    kind: str  # of what stands there: writer_tree.SCALAR, MAP or LIST
    member: str | None = None  # the key in the map
    is_element: bool = False
    at: int | None = None  # index of the element; None for a new one
    node: Node | None = None  # the value that is there now


class EditPlaces:
    """Places of fields in one watched load."""

    def __init__(self, trace: Trace) -> None:
        self._places = Places(trace)
        self._origins = Origins(trace, Invoker())

    def of_value(self, path: FieldPath) -> EditPlace:
        """The place of a value that is to be another one. Raises NoPlace."""
        self._check_made_by_files(path)
        pieces = self._pieces(path)
        if len(pieces) > 1 and not _is_scalar(pieces[-1].node):
            raise NoPlace("it is put together from several places", *(piece.node.span for piece in pieces))
        node = self._end(pieces[-1])
        return EditPlace(node.span, _kind(node), node=node)

    def of_new(self, path: FieldPath) -> EditPlace:
        """The place of a value that no file has yet: the map or list for it, the target's own if it has one."""
        pieces = self._pieces(path[:-1])
        node = self._end(pieces[-1])
        step = path[-1]
        if isinstance(step, str):
            if node.value is not None and not node.is_map:
                raise NoPlace(f"{path_short(path[:-1])} is no map there", node.span)
            return EditPlace(node.span, _kind(node), member=step)
        if not node.is_list:
            raise NoPlace(f"{path_short(path[:-1])} is no list there", node.span)
        return EditPlace(node.span, LIST, is_element=True)

    def of_removed(self, path: FieldPath) -> EditPlace:
        """The place of a value that is to go. Raises NoPlace."""
        self._check_made_by_files(path)
        pieces = self._pieces(path)
        if len(pieces) > 1:
            raise NoPlace("it is said at several places", *(piece.node.span for piece in pieces))
        found = pieces[0].node
        for piece in self._pieces(path[:-1]):
            holder = self._end(piece)
            step = path[-1]
            if isinstance(step, str) and holder.is_map and holder.value.get(step) is found:
                return EditPlace(holder.span, MAP, member=step)
            if holder.is_list:
                index = next((at for at, item in enumerate(holder.value) if item is found), None)
                if index is not None:
                    return EditPlace(holder.span, LIST, is_element=True, at=index)
        raise NoPlace("it is part of a value that is used elsewhere too", found.span)

    def _pieces(self, path: FieldPath) -> list[Piece]:
        written = self._places.written(path).pieces
        pieces = [piece for piece in written if piece.node.value is not None] or list(written[-1:])
        if not pieces:
            raise NoPlace(f"no file says {path_short(path)}")
        return pieces

    def _check_made_by_files(self, path: FieldPath) -> None:
        """Raises NoPlace for a value that a step of loading made, or that the invoker gave."""
        # A path that was made absolute is still the one that a file gives.
        chain = tuple(link for link in self._origins.chain(path) if link.role != Role.PATH)
        if chain and (chain[0].role not in _BY_FILES or chain[0].span is None):
            raise NoPlace(f"its value is not from there: {_words(chain[0])}", *_spans(chain))

    def _end(self, piece: Piece) -> Node:
        """The value itself: where a reference leads to, when there is nothing else in the text. Raises NoPlace."""
        met: list[SourceSpan] = []
        for _ in range(_CHAINED):
            self._check_role(piece, met)
            node = piece.node
            found = references(node.value) if isinstance(node.value, str) else ()
            mine = [reference for reference in found if reference.steps[0] in PREFIXES]
            if not mine:
                if not is_written(node.span):
                    raise NoPlace("no file says it", *met)
                return node
            if len(found) > 1 or not found[0].pure:
                raise NoPlace(f'only a part of it comes from "{node.value}"', node.span, *met)
            met.insert(0, node.span)
            path = path_of(found[0])
            pieces = [one for one in self._places.written(path).pieces if one.node.value is not None]
            if not pieces:
                raise NoPlace(f'it is "{node.value}", which no file sets', *met)
            piece = pieces[-1]
        raise NoPlace("its references do not end", *met)

    def _check_role(self, piece: Piece, met: list[SourceSpan]) -> None:
        if piece.role in (Role.INVOKER, Role.LOOKUP, Role.TOOL):
            name = f'variable "{piece.path[1]}"' if piece.path[:1] == ("variables",) else path_short(piece.path)
            raise NoPlace(f"{name} is given by {piece.node.origin or 'bundlectl'}, not by a file of the bundle", *met)


def _is_scalar(node: Node) -> bool:
    return not (node.is_map or node.is_list)


def _kind(node: Node) -> str:
    return MAP if node.is_map else LIST if node.is_list else SCALAR


def _words(link: Link) -> str:
    return link.note or link.role.replace("_", " ")


def _spans(chain: tuple[Link, ...]) -> list[SourceSpan]:
    return [link.span for link in chain if link.span is not None][:3]
