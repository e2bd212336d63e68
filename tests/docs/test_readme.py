"""The README's tour does what it shows: its console blocks run in order, and what they print is what is printed.

In a block, `$ ` starts a command, other lines are its output; a line `...` stands for any lines. Ids, digests, times
and paths are compared masked. A block that is not to be run says so in the line before it: <!-- not run: why -->
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.harness import Masks, program_folder
from tests.architecture.source import ROOT
from tests.builders import isolated_environment

_BLOCK = re.compile(r"(<!-- not run: [^>]+ -->\n)?```console\n(.*?)```", re.DOTALL)
_NUMBERED = re.compile(r"\[(SHA|UUID)\d+\]|\b[0-9a-f]{7}\b")
_GIT_ID = re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{7}(?:[0-9a-f]{33})?\b")


class Step(NamedTuple):
    """One command of the tour and the lines that the README shows below it."""

    command: str
    shown: list[str]


def _steps() -> list[Step]:
    steps: list[Step] = []
    for skipped, block in _BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        if skipped:
            continue
        for line in block.replace("\\\n", "").splitlines():
            if line.startswith("$ "):
                steps.append(Step(line[2:], []))
            elif steps:
                steps[-1].shown.append(line)
    return steps


def test_the_tour_shows_what_happens(tmp_path: Path) -> None:
    environment = isolated_environment(tmp_path / "user", os.environ)
    environment["PATH"] = f"{program_folder(tmp_path / 'bin', sys.executable)}{os.pathsep}{environment['PATH']}"
    folder = tmp_path / "tour"
    folder.mkdir()
    steps = _steps()
    assert len(steps) > 8
    for step in steps:
        said, folder = _run(step.command, folder, environment)
        masks = Masks(tmp_path, [folder])
        assert _matches(_folded(masks, step.shown), _folded(masks, said)), f"$ {step.command}\n" + "\n".join(said)


def _run(command: str, folder: Path, environment: dict[str, str]) -> tuple[list[str], Path]:
    """Output of one command, both streams as a terminal would show them, and the folder it leaves the shell in."""
    script = f'{command}\ncode=$?\npwd > "$HOME/where"\nexit $code'
    ran = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, f"$ {command}\n{ran.stdout}"
    return ran.stdout.splitlines(), Path(Path(environment["HOME"], "where").read_text(encoding="utf-8").strip())


def _folded(masks: Masks, lines: list[str]) -> list[str]:
    """Masked, without numbers of masks and without the width of gaps; blank lines are left out."""
    text = _NUMBERED.sub("[ID]", masks.apply("\n".join(lines)))
    # The ids of the page are those of the day it was written: a template's next byte gives others.
    text = _GIT_ID.sub("[ID]", text).replace("[TREE]", "[ID]")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _matches(pattern: list[str], lines: list[str]) -> bool:
    """Whether the lines are the pattern's, where "..." stands for any number of lines."""
    if not pattern:
        return not lines
    if pattern[0] == "...":
        return any(_matches(pattern[1:], lines[skip:]) for skip in range(len(lines) + 1))
    return bool(lines) and pattern[0] == lines[0] and _matches(pattern[1:], lines[1:])


def test_the_comparison_can_fail() -> None:
    assert _matches(["a", "...", "c"], ["a", "b", "b", "c"])
    assert _matches(["..."], [])
    assert not _matches(["a", "...", "c"], ["a", "b"])
    assert not _matches(["a"], ["a", "b"])
    assert not _matches([], ["a"])
