"""Results of import as text and as JSON. Pure.

Called by cli.commands.import_job.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from bundlectl.render.documents import result_document
from bundlectl.render.escape import visible, visible_lines


class ImportedJob(Protocol):
    """One job that was written, or why it was not."""

    @property
    def id(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def file(self) -> str | None: ...
    @property
    def text(self) -> str | None: ...
    @property
    def files(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def error(self) -> str | None: ...


def imported_text(done: Sequence[ImportedJob], *, stdout: bool) -> str:
    """The files that were written and what comes next; with `stdout` the YAML itself."""
    if stdout:
        return "---\n".join(visible_lines(item.text) for item in done if item.text is not None)
    lines: list[str] = []
    for item in done:
        if item.file is not None:
            lines += [f"Wrote {visible(name)}" for name in (item.file, *item.files)]
    lines += [f"Next: bundlectl bind {visible(item.key)} {visible(item.id)}" for item in done if item.file is not None]
    return "".join(f"{line}\n" for line in lines)


def import_document(done: Sequence[ImportedJob]) -> dict[str, Any]:
    """`import -o json`."""
    return result_document(
        "import",
        jobs=[
            {
                "id": item.id,
                "key": item.key,
                "file": item.file,
                "files": list(item.files),
                "text": item.text,
                "notes": list(item.notes),
                "error": item.error,
            }
            for item in done
        ],
    )
