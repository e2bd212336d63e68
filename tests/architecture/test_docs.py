"""Documentation keeps up with the program: reference pages are fresh, commands are explained, links lead somewhere."""

import re
from pathlib import Path

import pytest

from bundlectl.cli.main import COMMANDS
from tests.architecture.source import ROOT
from tests.docs.reference import FOLDER, help_text, pages

_LINK = re.compile(r"\]\(([^)#:]+?)(?:#[^)]*)?\)")
_PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FRAGMENTS = sorted((ROOT / "docs" / "changes").glob("*.md"))
_DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("name", ["cli.md", "diagnostics.md", "manifest.md"])
def test_reference_is_fresh(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "make docs"


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_is_documented(verb: str) -> None:
    text = help_text([verb])
    assert text.startswith(f"Usage: bundlectl {verb}")
    assert COMMANDS[verb].help and not COMMANDS[verb].help.endswith(".")
    assert f"## {verb}\n" in (FOLDER / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_option_has_a_help_text(verb: str) -> None:
    options = re.split(r"\n(?=  -)", help_text([verb]).partition("Options:")[2])
    silent = [
        option.strip() for option in options if option.strip() and not re.search(r"\s{2,}\S|\n\s+\S", option.strip())
    ]
    assert silent == []


def test_links_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in _PAGES
        for target in _LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("path", _DECISIONS, ids=lambda path: path.stem)
def test_decisions_have_their_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", path.stem)
    assert re.match(rf"# {int(path.stem[:4])}\. \S", text)
    assert [part for part in ("## Context", "## Choice", "## Consequences") if part not in text] == []


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.stem[:4]) for path in _DECISIONS] == list(range(1, len(_DECISIONS) + 1))


@pytest.mark.parametrize("path", _FRAGMENTS, ids=lambda path: path.stem)
def test_change_fragments_start_with_the_problem(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert re.match(r"(Feature|Fix|Change): \S", lines[0])
    assert lines[1] == "" and len(lines) > 2
