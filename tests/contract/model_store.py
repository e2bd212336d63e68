"""A StateStore in memory, as plain as can be: what the store in git is compared with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bundlectl.base.digest import digest_document
from bundlectl.git.chain import Committed, Conflict, Unknown
from bundlectl.model.deployment import Deployment, HistoryEntry
from bundlectl.state.store import CodeHome, Note, Recorded


class ModelStore:
    """A store as plain as can be: a list of versions. What git's store is compared with."""

    ref = "model"
    place = "."

    @property
    def code(self) -> CodeHome:
        raise NotImplementedError  # states alone are compared

    def newest(self) -> Recorded:
        return self.read()

    def accept(self, version: str | None) -> None:
        """A model is never rewritten."""

    def __init__(self, versions: list[tuple[Recorded, Note, dict[str, Any], Any]]) -> None:
        self._versions = versions

    def read(self) -> Recorded:
        return self._versions[-1][0] if self._versions else Recorded(None, None)

    def at(self, version: str) -> Deployment:
        found = next(recorded.deployment for recorded, _, _, _ in self._versions if recorded.version == version)
        assert found is not None
        return found

    def documents(self, version: str | None, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        stored = next((docs for recorded, _, docs, _ in self._versions if recorded.version == version), {})
        return {key: stored[key] for key in keys if key in stored}

    def cas(
        self,
        expected: Recorded,
        new: Deployment,
        note: Note,
        *,
        documents: Mapping[str, Mapping[str, Any]] | None = None,
        manifest: Mapping[str, Any] | None = None,
    ) -> Committed | Conflict | Unknown:
        kept = {**(self._versions[-1][2] if self._versions else {}), **(documents or {})}
        kept = {key: dict(kept[key]) for key in new.jobs if key in kept}
        for key, entry in new.jobs.items():
            if key not in kept or digest_document(kept[key]) != entry.spec:
                raise ValueError(f"no document for job {key!r}")
        if self.read().version != expected.version:
            return Conflict(self.read().version)
        version = f"v{len(self._versions) + 1}"
        self._versions.append((Recorded(version, new), note, kept, manifest))
        return Committed(version)

    def resolve(self, attempt: Unknown) -> Committed | Conflict | Unknown:
        return Conflict(self.read().version)

    def history(self, limit: int | None = None) -> Iterator[HistoryEntry]:
        for recorded, note, _, manifest in self._versions[::-1][:limit]:
            assert recorded.version is not None and recorded.deployment is not None
            yield HistoryEntry(recorded.version, note.verb, recorded.deployment.serial, note.summary, manifest)

    def last_deployer(self) -> str | None:
        return next((note.actor for _, note, _, manifest in self._versions[::-1] if manifest is not None), None)
