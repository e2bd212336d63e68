"""Writes docs/reference from the program: the help of every command, the table of diagnostic codes, the run manifest.

    python -m tests.docs.reference [--check]        (make docs)

Equal programs give equal pages. test_reference.py checks that the pages are fresh.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bundlectl.cli.main import COMMANDS, run
from bundlectl.model.codes import CODES, FAMILIES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
_WIDTH = "100"
_NOTE = "<!-- Written by `make docs`; edit the program, not this page. -->\n"


def pages() -> dict[str, str]:
    """File name -> content."""
    return {"cli.md": cli_page(), "diagnostics.md": diagnostics_page(), "manifest.md": manifest_page()}


def cli_page() -> str:
    """Help of every command and sub-command, in the order of the overview."""
    parts = [_NOTE, "# Commands\n", _block(help_text([]))]
    for verb in COMMANDS:
        text = help_text([verb])
        parts += [f"## {verb}\n", _block(text)]
        for sub in _subcommands(text):
            parts += [f"### {verb} {sub}\n", _block(help_text([verb, sub]))]
    parts += ["## Exit codes\n", _block(_said(["help", "exit-codes"]))]
    return "\n".join(parts)


def diagnostics_page() -> str:
    """Every code with title and explanation, by family."""
    parts = [_NOTE, "# Diagnostic codes\n", "`bundlectl explain CODE` prints the same on a terminal.\n"]
    for digit, family in FAMILIES.items():
        parts.append(f"## {digit}xx: {family}\n")
        for code, entry in CODES.items():
            if code[3] == digit:
                parts.append(f"### {code}: {entry.title}\n\n{entry.explanation}\n")
    return "\n".join(parts)


def manifest_page() -> str:
    """Members of a run manifest, from its published schema."""
    schema = json.loads((ROOT / "schemas" / "run-manifest" / "v1.json").read_text(encoding="utf-8"))
    parts = [
        _NOTE,
        "# Run manifest\n",
        "What `bundlectl runs manifest RUN -o json` prints; the schema is `schemas/run-manifest/v1.json`.\n",
        "| member | type | meaning |\n|---|---|---|",
    ]
    rows = [f"| `{path}` | {kind} | {text} |" for path, kind, text in _members(schema, schema, "")]
    return "\n".join(parts) + "\n" + "\n".join(rows) + "\n"


def help_text(words: Sequence[str]) -> str:
    """What `bundlectl WORDS --help` prints."""
    return _said([*words, "--help"])


def _said(words: Sequence[str]) -> str:
    before = {name: os.environ.get(name) for name in ("COLUMNS", "NO_COLOR", "TERMINAL_WIDTH")}
    os.environ.update({"COLUMNS": _WIDTH, "TERMINAL_WIDTH": _WIDTH, "NO_COLOR": "1"})
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            code = run(list(words))
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    assert code == 0, f"bundlectl {' '.join(words)} ended with {code}"
    return said.getvalue()


def _subcommands(text: str) -> list[str]:
    """Names below "Commands:" in a help text."""
    if "\nCommands:\n" not in text:
        return []
    lines = text.split("\nCommands:\n")[1].splitlines()
    return [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]


def _block(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
    return f"```text\n{lines}\n```\n"


def _members(schema: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    node = _resolved(schema, root)
    for name, member in node.get("properties", {}).items():
        inner = _resolved(member, root)
        where = f"{path}.{name}" if path else name
        yield (
            where,
            _kind(inner, root),
            " ".join(str(member.get("description") or inner.get("description", "")).split()),
        )
        yield from _members(inner, root, where)
        if isinstance(inner.get("items"), dict):
            yield from _members(inner["items"], root, f"{where}[]")


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _kind(schema: dict[str, Any], root: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return " or ".join(dict.fromkeys(_kind(_resolved(option, root), root) for option in options))
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def main(words: Sequence[str]) -> int:
    """Writes the pages, or with --check says which are stale."""
    stale = [name for name, text in pages().items() if not _is(FOLDER / name, text)]
    if "--check" in words:
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is stale: make docs\n")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
