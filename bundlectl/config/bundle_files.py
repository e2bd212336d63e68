"""The files of a bundle in one tree, each read once: what config.parts puts a bundle together from.

Which files there are is decided by config.discovery, what is in them by config.reading.
"""

import re
from collections.abc import Sequence

from bundlectl.config.code_files import CodeFiles
from bundlectl.config.discovery import RootPlace, find_root, include_files
from bundlectl.config.facts import Facts, Others, SourceFile
from bundlectl.config.pieces import WORTH_CUTTING, pieces_of
from bundlectl.config.reading import has_errors, read_files, read_text
from bundlectl.config.records import Catalog, FileRecord
from bundlectl.config.request import LoadRequest
from bundlectl.config.tree_view import TreeView
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.schema.kinds import UNMANAGED_KINDS

_ONE_JOB = (".job.yml", ".job.yaml", ".job.json")  # what is said of such a file concerns all of it


class OnePiece(Exception):
    """The bundle cannot be resolved in parts."""


class BundleFiles:
    """The files of a bundle in one tree. Raises OnePiece when they cannot be told."""

    def __init__(self, view: TreeView, request: LoadRequest) -> None:
        self.view = view
        self.request = request
        place, _ = find_root(view, request)
        if place is None:
            raise OnePiece
        self.place: RootPlace = place
        self._sources: dict[str, SourceFile] = {}
        root = self.read([place.file])[0]
        if root.node is None:
            raise OnePiece
        files, found = include_files(view, place, root.node, request.limits.files)
        if has_errors(found):
            raise OnePiece
        self.files: tuple[str, ...] = (place.file, *files)
        self.findings: list[Diagnostic] = found
        self.code: CodeFiles | None = None  # found out with the first part
        self._order = {path: number for number, path in enumerate(self.files)}
        self.blobs = {path: view.entries[view.find(path).path].blob for path in self.files}

    def read(self, paths: Sequence[str], *, keep: bool = True) -> list[SourceFile]:
        """Files, read and shaped. Raises OnePiece for one that cannot be read."""
        missing = [path for path in paths if path not in self._sources]
        allow = self.request.allow_unknown_fields
        made = read_files(self.view, missing, self.request.limits, root_file=self.place.file, allow_unknown=allow)
        if any(has_errors(source.findings) for source in made):
            raise OnePiece
        found = {source.path: source for source in made}
        if keep:
            self._sources.update(found)
        return [self._sources.get(path) or found[path] for path in paths]

    def pieces(self, path: str, count: int) -> list[bytes]:
        """The text of a job file in about so many pieces, when it is large and can be cut; else in one."""
        data = self.view.read(self.view.find(path).path)
        if len(data) < WORTH_CUTTING or len(data) > self.request.limits.file_bytes or path.endswith(_ONE_JOB):
            return [data]
        return pieces_of(data, count, self.request.limits) or [data]

    def read_piece(self, path: str, text: bytes) -> SourceFile:
        """Some jobs of a file. Raises OnePiece when the text cannot be read."""
        allow = self.request.allow_unknown_fields
        source = read_text(text, path, self.blobs[path], self.request.limits, allow_unknown=allow)
        if has_errors(source.findings):
            raise OnePiece
        return source

    def facts(self, sources: Sequence[SourceFile], others: Others) -> Facts:
        """Facts for a part, its files in the order of the whole."""
        order = self._order
        return Facts(
            request=self.request,
            view=self.view,
            revision=self.view.tree.revision,
            root=self.place.root,
            root_file=self.place.file,
            files=self.files,
            sources=tuple(sorted(sources, key=lambda source: order[source.path])),
            others=others,
            code=self.code,
        )

    def reusable(self, known: Catalog, git_moved: bool) -> dict[str, FileRecord]:
        """Job files whose jobs are what they were; none when the frame changed."""
        if (known.root, known.root_file) != (self.place.root, self.place.file):
            return {}
        old_frame = [path for path, file in known.files.items() if file.keys is None]
        new_frame = self.frame_of(known)
        if old_frame != new_frame or any(known.files[path].blob != self.blobs[path] for path in old_frame):
            return {}
        if git_moved and any(known.files[path].uses_git for path in old_frame):
            return {}
        return {
            path: file
            for path in self.files
            if (file := known.files.get(path)) is not None
            and file.keys is not None
            and file.blob == self.blobs[path]
            and not (git_moved and file.uses_git)
        }

    def frame_of(self, known: Catalog) -> list[str]:
        """Files that were no job files when they were known."""
        return [path for path in self.files if (file := known.files.get(path)) is not None and file.keys is None]

    def guess_frame(self) -> list[str]:
        """Files that look as if they held more than jobs. A wrong guess costs time, nothing else."""
        self.view.prefetch(self.files)
        kinds = "|".join(UNMANAGED_KINDS).encode()
        more = re.compile(
            rb"^(?![ \t\r\n#])(?!resources[ \t]*:|---[ \t]*\r?$)|^[ \t]{1,8}(?:" + kinds + rb")[ \t]*:", re.MULTILINE
        )
        return [path for path in self.files if path == self.place.file or more.search(self.view.read(path).strip())]
