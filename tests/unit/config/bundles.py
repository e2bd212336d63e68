"""Bundles in memory: a source tree made of texts, and short ways to load one, for the tests of config."""

from collections.abc import Iterable, Mapping
from typing import Any

from bundlectl.base.digest import digest_document, git_blob_id
from bundlectl.config.loader import load
from bundlectl.config.request import Loaded, LoadRequest
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.source import Revision, TreeEntry

USER = "tester@x.com"
ROOT = f"/Workspace/Users/{USER}/.bundle/b/default"
Content = str | bytes


class MemoryTree:
    """A SourceTree of given contents. `links` are symlinks, `submodules` paths of submodules, `on_disk` uncommitted."""

    def __init__(
        self,
        files: Mapping[str, Content],
        *,
        links: Mapping[str, str] | None = None,
        submodules: Iterable[str] = (),
        on_disk: Iterable[str] = (),
        revision: Revision | None = None,
    ) -> None:
        self._contents = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
        entries = {path: TreeEntry("100644", git_blob_id(data)) for path, data in self._contents.items()}
        for path, target in (links or {}).items():
            self._contents[path] = target.encode()
            entries[path] = TreeEntry("120000", git_blob_id(target.encode()))
        entries.update({path: TreeEntry("160000", "0" * 40) for path in submodules})
        self._entries = dict(sorted(entries.items(), key=lambda pair: pair[0].encode()))
        self._on_disk = frozenset(on_disk)
        tree = digest_document([[path, *entry] for path, entry in self._entries.items()])
        self._revision = revision or Revision(commit="1a2b3c4" + "0" * 33, tree=tree, ref="refs/heads/main")
        self.listed = 0
        self.reads: list[str] = []

    @property
    def revision(self) -> Revision:
        return self._revision

    @property
    def label(self) -> str:
        return "commit 1a2b3c4"

    def list(self) -> Mapping[str, TreeEntry]:
        self.listed += 1
        return self._entries

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        wanted = list(paths)
        self.reads.extend(wanted)
        return {path: self._contents[path] for path in wanted}

    def exists_in_working_tree(self, path: str) -> bool:
        return path in self._on_disk

    def only_on_disk(self, folder: str) -> Iterable[str]:
        return sorted(path for path in self._on_disk if not folder or path.startswith(folder + "/"))


OUTSIDE_GIT = Revision(commit=None, tree=None, working_tree=True)


def loaded(files: Mapping[str, Content] | str, **more: Any) -> Loaded:
    """A bundle loaded from its files; a text is `databricks.yml`. `more`: fields of the request, or of the tree."""
    tree_fields = {name: more.pop(name) for name in ("links", "submodules", "on_disk", "revision") if name in more}
    contents = {"databricks.yml": files} if isinstance(files, str) else files
    return load(MemoryTree(contents, **tree_fields), LoadRequest(**{"user": USER, **more}))


def found(result: Loaded, code: str) -> list[Diagnostic]:
    """Findings with a code."""
    return [finding for finding in result.diagnostics if finding.code == code]


def codes(result: Loaded) -> list[str]:
    """Codes of all findings, in order."""
    return [finding.code for finding in result.diagnostics]


def document(result: Loaded) -> dict[str, Any]:
    """The printed document, which must be there."""
    shown = result.document
    assert shown is not None
    return dict(shown)


def job(result: Loaded, key: str) -> dict[str, Any]:
    """The printed form of a job."""
    shown: dict[str, Any] = document(result)["resources"]["jobs"][key]
    return shown


def bundle(text: str) -> str:
    """A root file with a name before the given text."""
    return "bundle: {name: b}\n" + text


def job_yaml(body: str, key: str = "j") -> str:
    """A root file with one job."""
    lines = "".join(f"      {line}\n" for line in body.strip("\n").splitlines())
    return bundle(f"resources:\n  jobs:\n    {key}:\n{lines}")


def settled(result: Loaded) -> dict[str, Any]:
    """Everything that a result says, comparable."""
    return {
        "bundle": result.bundle,
        "findings": [(item.code, item.severity, item.summary, item.path, item.spans) for item in result.diagnostics],
        "code": list(result.code_files),
        "snapshot": result.snapshot_key,
    }
