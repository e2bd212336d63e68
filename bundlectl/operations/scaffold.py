"""templates/<name> -> a new bundle folder, with the schema for editors beside it.

No template is fetched and no template code is run.
"""

import re
from pathlib import Path
from typing import NamedTuple

from bundlectl.base.resources import resource_folder
from bundlectl.base.suggest import nearest
from bundlectl.model.errors import InputError, UsageError

# The one placeholder of templates: plain text, so that it meets neither ${...} nor {{...}}.
PLACEHOLDER = "__BUNDLE_NAME__"
# Where the first line of each template's bundle files sends editors. Never synced, as all of that folder.
SCHEMA = ".bundlectl/bundle.schema.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Scaffolded(NamedTuple):
    """What `init` made: template, folder, files relative to it."""

    template: str
    folder: Path
    files: tuple[str, ...]


def templates() -> dict[str, str]:
    """Names of the templates that ship with the program, each with the first line of its README."""
    found: dict[str, str] = {}
    for folder in sorted(resource_folder("templates").iterdir()):
        if any((folder / name).is_file() for name in ("databricks.yml", "bundle.yml")):
            found[folder.name] = _title(folder)
    return found


def scaffold(template: str, folder: Path, name: str | None) -> Scaffolded:
    """Copies a template into `folder`, which must be empty or absent. Raises UsageError, InputError."""
    known = templates()
    if template not in known:
        near = nearest(template, known)
        raise UsageError(
            f'no template "{template}"' + (f'; did you mean "{near}"?' if near else ""),
            hint=f"templates: {', '.join(known)}",
        )
    bundle = name or folder.resolve().name
    if not _NAME.fullmatch(bundle):
        raise UsageError(
            f'"{bundle}" cannot name a new bundle: letters, digits, "_" and "-", beginning with a letter or digit',
            hint="bundlectl init TEMPLATE DIR --name NAME",
        )
    if folder.exists() and (not folder.is_dir() or any(entry.name != ".git" for entry in folder.iterdir())):
        raise InputError(
            f'"{folder}" is not an empty folder',
            code="BND623",
            detail="init never writes over files. Nothing was changed.",
            hint="name another folder: bundlectl init TEMPLATE DIR",
        )
    try:
        files = _copy(resource_folder("templates") / template, folder, bundle)
        schema = folder / SCHEMA
        schema.parent.mkdir()
        schema.write_bytes((resource_folder("schemas") / "bundle" / "v1.json").read_bytes())
    except OSError as error:
        raise InputError(f'cannot write to "{folder}": {error.strerror}', code="BND623") from error
    return Scaffolded(template, folder, (*files, SCHEMA))


def _copy(source: Path, folder: Path, name: str) -> tuple[str, ...]:
    written: list[str] = []
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if not path.is_file() or "__pycache__" in relative.parts:
            continue
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes().replace(PLACEHOLDER.encode(), name.encode()))
        target.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        written.append(relative.as_posix())
    return tuple(written)


def _title(folder: Path) -> str:
    readme = folder / "README.md"
    if not readme.is_file():
        return ""
    lines = [line for line in readme.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return lines[0] if lines else ""
