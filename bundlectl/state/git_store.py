"""The default store: state as a chain of git commits, one per change, in the repository itself or on a remote of it.

Called by operations through the StateStore protocol. What a commit holds is in layout; how it gets there, git.chain.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from bundlectl import __version__
from bundlectl.base.clock import Clock
from bundlectl.base.digest import digest_bytes, digest_document
from bundlectl.git.chain import AnyChain, Chain, Committed, Conflict, Link, Signs, Unknown, encode_name
from bundlectl.git.command import GitOutputTooLarge
from bundlectl.git.objects import GitObject, edit_tree, read_objects
from bundlectl.git.repository import Repository
from bundlectl.git.snapshot import append_code
from bundlectl.model.codec import DocumentError, load_canonical, stored
from bundlectl.model.deployment import Deployment, HistoryEntry
from bundlectl.model.errors import Refused, StateError
from bundlectl.state import layout
from bundlectl.state.intents import intent_document
from bundlectl.state.message import Message, decode_message, encode_message
from bundlectl.state.store import CodeHome, Note, Recorded

_UNREADABLE, _NEWER, _FOREIGN, _REWRITTEN, _NEWER_APPLY = "BND410", "BND411", "BND414", "BND413", "BND404"
_MAX_READ = 64 << 20
_MAX_DOCUMENTS_READ = 200 << 20
_READ_TRIES = 5
_HISTORY_BATCH = 40
_ADDS_MANIFEST = "apply-end"  # whatever ended, a deploy or a destroy: its manifest says which. No other commit has one.


class LocalCode:
    """Deployed code in the repository itself."""

    def __init__(self, repository: Repository, bundle: str, target: str) -> None:
        self._repository = repository
        self._bundle, self._target = bundle, target

    def keep(self, tree: str, digest: str) -> None:
        """Keeps a tree of the repository reachable for ever. Raises RepositoryError."""
        append_code(self._repository, self._bundle, self._target, tree, digest)

    def holder(self, tree: str) -> Repository:
        """The repository that has a tree which was kept."""
        return self._repository


class GitStateStore:
    """State of one target: in `repository` on a ref of its own, or where `chain` has it, read from `repository`."""

    def __init__(
        self,
        repository: Repository,
        bundle: str,
        target: str,
        *,
        place: str = ".",
        chain: AnyChain | None = None,
        code: CodeHome | None = None,
        clock: Clock | None = None,
        notify: Callable[[str], None] = lambda text: None,
        signer: Callable[[], Signs] | None = None,
        require_signed: bool = False,
    ) -> None:
        """`signer`: who signs and checks commits, made when it is needed."""
        self._bundle, self._target = bundle, target
        self._signer = signer if require_signed else None
        self._repository = repository
        self._git = repository.git
        ref = f"refs/bundlectl/state/{encode_name(bundle)}/{encode_name(target)}"
        self._chain: AnyChain = chain or Chain(repository, ref, clock=clock, notify=notify, signer=signer)
        self._code: CodeHome = code or LocalCode(repository, bundle, target)
        self.place = place
        self._newest = Recorded(None, None)

    @property
    def code(self) -> CodeHome:
        """Where deployed code is kept, beside the state."""
        return self._code

    @property
    def ref(self) -> str:
        """Full name of the ref that holds the state."""
        return self._chain.ref

    def read(self) -> Recorded:
        """Newest state: one process, and an exchange when it is on a remote.

        Raises StateError (BND410, BND411), Refused BND414 for another bundle's state, BND413 for a rewritten history,
        BND415 for a commit without a signature where one is demanded.
        """
        seen = self._chain.seen()  # before looking: what others write meanwhile descends from it
        found = self.newest()
        if self._signer is not None and found.version is not None:
            self._signer().refuse_unsigned(found.version, self.ref)
        if seen != found.version:
            self._refuse_rewritten(seen, found)
            self._chain.noticed(found.version)
        return found

    def newest(self) -> Recorded:
        """The same whatever was there before: for whoever is about to accept a rewritten history."""
        for _ in range(_READ_TRIES):
            at = self._chain.sync()
            if at is None:
                return Recorded(None, None)
            names = (at, *(f"{at}:{name}" for name in (layout.META, layout.INDEX, layout.APPLY)), at)
            first, meta, index, apply, last = self._objects(names, self.ref, _MAX_READ)
            if first is None:
                # A ref that is there and cannot be read is an error, not a fresh start; one made meanwhile is read.
                if self._chain.tip() is None:
                    return Recorded(None, None)
                continue
            # The ref only moves forward: the same tip before and after means that nothing moved in between.
            if last is not None and first.id == last.id:
                if first.kind != "commit":
                    raise _unreadable(first.id, f"it is a {first.kind}, not a commit")
                self._newest = Recorded(first.id, self._decode(first.id, meta, index, apply))
                return self._newest
        raise StateError(f"{self.ref} changes faster than it can be read", code=_UNREADABLE, hint="run it again")

    def accept(self, version: str | None) -> None:
        """Takes this tip as the one that later ones must descend from (None: nothing), whatever was seen before."""
        self._chain.remember(version)

    def _refuse_rewritten(self, seen: str | None, found: Recorded) -> None:
        """Raises Refused BND413 when what is there now did not grow out of what was there before."""
        if seen is None or self._has_grown(seen, found):
            return
        now = f"it is {found.version} now" if found.version is not None else "it is gone"
        raise Refused(
            f"state history was rewritten: expected a descendant of {seen[:12]}",
            code=_REWRITTEN,
            detail=f"{self.ref}: {now}. Nothing was changed.",
            hint=f"bring {seen} back, or accept by name what is there: "
            f"bundlectl state accept-rewrite {found.version or 'absent'}",
        )

    def _has_grown(self, seen: str, found: Recorded) -> bool:
        """Out of a commit that was seen: as a descendant of it, or of the chain that it was compacted from, which holds
        the same history and no less of it.
        """
        new = found.deployment
        if found.version is None or new is None:
            return False
        if not self._chain.descends(seen, found.version):
            old = new.previous
            if old is None or (old != seen and not self._chain.descends(seen, old)):
                return False
        try:
            before = self.at(seen)
        except StateError:
            return False  # the old chain is out of reach: somebody has to look
        return before.lineage == new.lineage and before.serial <= new.serial

    def documents(self, version: str | None, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Job documents of a version by key, each checked against its digest in the index. Raises StateError."""
        if version is None or not keys:
            return {}
        deployment = self.at(version)
        wanted = [key for key in dict.fromkeys(keys) if key in deployment.jobs]
        found = self._objects(
            [f"{version}:{layout.document_path(key)}" for key in wanted], version, _MAX_DOCUMENTS_READ
        )
        documents: dict[str, dict[str, Any]] = {}
        for key, blob in zip(wanted, found, strict=True):
            name = f'document of job "{key}"'
            document = _stored(version, name, blob, layout.MAX_DOCUMENT)
            assert blob is not None
            if digest_bytes(blob.data[:-1]) != deployment.jobs[key].spec:
                raise _unreadable(version, f"{name}: it is not the one that the index names")
            documents[key] = document
        return documents

    def cas(
        self,
        expected: Recorded,
        new: Deployment,
        note: Note,
        *,
        documents: Mapping[str, Mapping[str, Any]] | None = None,
        manifest: Mapping[str, Any] | None = None,
    ) -> Committed | Conflict | Unknown:
        """Replaces `expected` by `new` if nobody was faster: at most two processes to write, one to swap.

        Raises StateError for what no reader would take, RepositoryError when nothing can be written.
        """
        if expected.version is not None:
            self._chain.bring(expected.version)
        files = self._files(expected.deployment, new, documents or {})
        if manifest is not None:
            files[layout.manifest_path(str(manifest["id"]))] = stored(dict(manifest))
        _check_caps(files, new)
        tree, items = edit_tree(self._git, expected.version, files, self._repository.algorithm)
        done = self._chain.append(expected.version, tree, encode_message(note, new.serial), items=items)
        if isinstance(done, Committed):
            self._chain.remember(done.version)
            self._newest = Recorded(done.version, new)
        return done

    def resolve(self, attempt: Unknown) -> Committed | Conflict | Unknown:
        """What became of a write without a report; made again if it did not land."""
        return self._chain.resolve(attempt)

    def history(self, limit: int | None = None) -> Iterator[HistoryEntry]:
        """Commits of the chain, newest first, with the manifests that they added. Raises StateError."""
        links = self._chain.walk(limit)
        while batch := list(islice(links, _HISTORY_BATCH)):
            yield from self._entries(batch)

    def last_deployer(self) -> str | None:
        """Who made the newest finished deployment, as the messages of the chain say. Raises StateError."""
        for limit in (1, _HISTORY_BATCH):  # the newest commit is its end, unless an apply was begun since
            messages = map(_message, self._chain.walk(limit))
            found = next((message.actor for message in messages if message.verb == _ADDS_MANIFEST), None)
            if found is not None:
                return found
        return None

    def _entries(self, links: Sequence[Link]) -> Iterator[HistoryEntry]:
        messages = [_message(link) for link in links]
        paths = [_manifest_path(message.deployment) if message.verb == _ADDS_MANIFEST else None for message in messages]
        asked = [f"{link.version}:{path}" for link, path in zip(links, paths, strict=True) if path is not None]
        found = iter(self._objects(asked, self.ref, _MAX_DOCUMENTS_READ))
        for link, message, path in zip(links, messages, paths, strict=True):
            blob = next(found) if path is not None else None
            manifest = _stored(link.version, "the deployment manifest", blob, layout.MAX_DOCUMENT) if blob else None
            yield HistoryEntry(link.version, message.verb, message.serial, message.summary, manifest)

    def _decode(
        self, version: str, meta: GitObject | None, index: GitObject | None, apply: GitObject | None
    ) -> Deployment:
        if meta is None or index is None:
            raise _unreadable(version, f"{layout.META if meta is None else layout.INDEX} is missing")
        try:
            deployment = layout.decode(meta.data, index.data, apply.data if apply else None)
        except layout.NewerFormat as error:
            needed = f"bundlectl >= {error.tool_version}" if error.tool_version else "a newer bundlectl"
            raise StateError(
                f"state needs {needed}",
                code=_NEWER,
                detail=f"{self.ref} has format {error.found}; bundlectl {__version__} reads format {layout.FORMAT}",
                hint="upgrade bundlectl; nothing was changed",
            ) from None
        except layout.NewerApply as error:
            if not _is_newer(error.tool_version):
                raise _unreadable(version, str(error)) from None
            raise StateError(
                f"finish it with bundlectl >= {error.tool_version}: a deploy of that version was cut off",
                code=_NEWER_APPLY,
                detail=f"{self.ref}: {error}. Nothing was changed.",
                hint="upgrade bundlectl, and deploy with it",
            ) from None
        except DocumentError as error:
            raise _unreadable(version, str(error)) from None
        if (deployment.bundle, deployment.target) != (self._bundle, self._target):
            raise Refused(
                f'{self.ref} holds the state of bundle "{deployment.bundle}", target "{deployment.target}", '
                f'not of "{self._bundle}", "{self._target}"',
                code=_FOREIGN,
                hint="give one of the two another name",
            )
        return deployment

    def at(self, version: str) -> Deployment:
        """What a version recorded. Raises StateError, Refused for the state of another bundle or target."""
        if self._newest.version == version and self._newest.deployment is not None:
            return self._newest.deployment
        self._chain.bring(version)
        names = [f"{version}:{name}" for name in (layout.META, layout.INDEX, layout.APPLY)]
        return self._decode(version, *self._objects(names, version, _MAX_READ))

    def _files(
        self, old: Deployment | None, new: Deployment, documents: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, bytes | None]:
        """Files that change between two deployments; None removes one."""
        files: dict[str, bytes | None] = {layout.META: layout.encode_meta(new, __version__)}
        if old is None or old.jobs != new.jobs:
            files[layout.INDEX] = layout.encode_index(new.jobs)
            _check_documents(old.jobs if old else {}, new.jobs, documents)
            gone = old.jobs.keys() - new.jobs.keys() if old else ()
            files.update({layout.document_path(key): None for key in gone})
        if new.intent is not None:
            files[layout.APPLY] = stored(intent_document(new.intent))
        elif old is not None and old.intent is not None:
            files[layout.APPLY] = None
        for key, document in documents.items():
            if key in new.jobs:
                files[layout.document_path(key)] = stored(dict(document))
        return files

    def _objects(self, names: Sequence[str], version: str, max_output: int) -> list[GitObject | None]:
        try:
            return read_objects(self._git, names, max_output=max_output)
        except GitOutputTooLarge:
            raise _unreadable(version, f"it is larger than {max_output} bytes") from None


def _message(link: Link) -> Message:
    try:
        return decode_message(link.message)
    except ValueError as error:
        raise _unreadable(link.version, f"its message: {error}") from None


def _is_newer(tool_version: str) -> bool:
    """Whether a version of bundlectl is above this one; one that is no version is not."""
    theirs, ours = ([int(part) for part in re.findall(r"\d+", text)[:3]] for text in (tool_version, __version__))
    return theirs > ours


def _manifest_path(deployment: str) -> str | None:
    try:
        return layout.manifest_path(deployment)
    except ValueError:
        return None


def _stored(version: str, name: str, blob: GitObject | None, max_bytes: int) -> dict[str, Any]:
    if blob is None:
        raise _unreadable(version, f"{name} is missing")
    try:
        document = load_canonical(blob.data, max_bytes=max_bytes)
    except DocumentError as error:
        raise _unreadable(version, f"{name}: {error}") from None
    if not isinstance(document, dict):
        raise _unreadable(version, f"{name}: expected a map")
    return document


def _check_documents(
    old: Mapping[str, Any], new: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]]
) -> None:
    """An index that names a document which is not there would be unreadable: a fault of the caller."""
    for key, job in new.items():
        before = old.get(key)
        if before is not job and (before is None or before.spec != job.spec):
            if key not in documents:
                raise ValueError(f"no document for job {key!r}")
            if digest_document(dict(documents[key])) != job.spec:
                raise ValueError(f"the document of job {key!r} is not the one of its digest")


def _check_caps(files: Mapping[str, bytes | None], new: Deployment) -> None:
    if len(new.jobs) > layout.MAX_JOBS:
        raise StateError(f"{len(new.jobs)} jobs, at most {layout.MAX_JOBS} in one target", code=_UNREADABLE)
    caps = {layout.INDEX: layout.MAX_INDEX, layout.APPLY: layout.MAX_APPLY}
    for path, data in files.items():
        cap = caps.get(path, layout.MAX_DOCUMENT)
        if data is not None and len(data) > cap:
            raise StateError(f'"{path}" would have {len(data)} bytes, at most {cap}', code=_UNREADABLE)


def _unreadable(version: str, problem: str) -> StateError:
    return StateError(f"state commit {version} is unreadable: {problem}", code=_UNREADABLE, hint="git fsck")
