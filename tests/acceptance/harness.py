"""Runs the script of an acceptance case and writes down what a user would see; what differs between runs is masked.

A case is a folder <topic>/<case>/ with `script` and `expected.txt`; other files in it are copied to where the script
starts. Each line of `script` is one command for sh (a line that ends in a backslash goes on); lines that start with #
are kept as headings. $EXAMPLES is tests/examples, $TEMPLATES the templates. `pytest --update` writes expected.txt anew.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.builders import isolated_environment

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
ROOT = HERE.parents[1]
TIMEOUT_S = 180

# Which states of a run are seen on the way depends on how often it is asked; how it ended is on stdout.
_PROGRESS = re.compile(r"\d\d:\d\d:\d\dZ (?:jobs\.\S+ run \d+|\S+?(?: attempt \d+)?): [A-Z_]+\b")

_OWN = frozenset({"script", "expected.txt"})


def cases() -> list[str]:
    """Every case as "<topic>/<case>"."""
    return sorted(path.parent.relative_to(HERE).as_posix() for path in HERE.glob("*/*/script"))


def program_folder(folder: Path, interpreter: str) -> Path:
    """A folder for PATH whose `bundlectl` is this checkout, run by `interpreter`; `python` is that interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, words in {"bundlectl": f'"{interpreter}" -m bundlectl', "python": f'"{interpreter}"'}.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec {words} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    return folder


def play(case: str, folder: Path, interpreter: str) -> str:
    """Runs the script of `case` in a new folder below `folder`; the transcript."""
    source = HERE / case
    work = folder / "work"
    shutil.copytree(source, work, ignore=lambda _, names: [name for name in names if name in _OWN])
    environment = isolated_environment(folder / "user", os.environ)
    environment["PATH"] = f"{program_folder(folder / 'bin', interpreter)}{os.pathsep}{environment['PATH']}"
    environment["EXAMPLES"] = str(EXAMPLES)
    environment["TEMPLATES"] = str(ROOT / "templates")
    parts = []
    for line in _lines((source / "script").read_text(encoding="utf-8")):
        parts.append(line if line.startswith("#") else _command(line, work, environment))
    return Masks(folder, [work]).apply("\n".join(parts) + "\n")


def _lines(script: str) -> Iterator[str]:
    joined = script.replace("\\\n", "")
    return (line for line in joined.splitlines() if line.strip())


def _command(line: str, work: Path, environment: Mapping[str, str]) -> str:
    """One command as a user sees it: what was typed, stdout, then stderr behind a bar, then the exit code if not 0."""
    ended = subprocess.run(
        ["sh", "-c", line],
        cwd=work,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    shown = [f"$ {line}"]
    shown += ended.stdout.splitlines()
    shown += [f"| {text}".rstrip() for text in ended.stderr.splitlines() if not _PROGRESS.match(text)]
    if ended.returncode:
        shown.append(f"exit {ended.returncode}")
    return "\n".join(shown) + "\n"


class Masks:
    """Replaces what differs between two equal runs; equal ids get equal names, so that identity still shows."""

    _UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
    _DIGEST = re.compile(r"sha256:[0-9a-f]{6,64}(?:\.\.\.)?")
    _SHORT_DIGEST = re.compile(r"(?<=snapshot )[0-9a-f]{8}\b|(?<=-> )[0-9a-f]{8}\b")
    _OBJECT = re.compile(r"\b[0-9a-f]{7,40}\b")
    _DIRTY_TREE = re.compile(r"(?<=tree )[0-9a-f]{7,12}\b|(?<=tree: plan )[0-9a-f]{12}\b")
    _OTHERS = (
        (re.compile(r"\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z"), "[TIME]"),
        (re.compile(r"\b\d\d:\d\d:\d\dZ"), "[TIME]"),
        (re.compile(r"\b\d+(?:\.\d+)?(?: ?ms| ?s| min)\b"), "[TOOK]"),
        (re.compile(r" +(?=\[(?:TIME|TOOK)\])"), " "),
        (re.compile(r"(tombstone until |\[TOOK\] +until |\[TIME\] +|jobs\.\w+ +\d+ +)20\d\d-\d\d-\d\d\b"), r"\1[DAY]"),
        (re.compile(r"python 3\.\d+\.\d+\S*  \d+ packages"), "python [VERSION]  [N] packages"),
        (re.compile(r"(?<=bundlectl )\d+\.\d+\.\d+\S*"), "[VERSION]"),
        (re.compile(r"\b[0-9a-f]{64}\b"), "[DIGEST]"),
        (re.compile(r"crash-\d+"), "crash-[N]"),
        (re.compile(r"(?<=\.whl  )[0-9a-f]{8}\b|(?<=\.\.\.)[0-9a-f]+(?=/[\w.]+-[\w.+-]+\.whl)"), "[DIGEST]"),
    )

    def __init__(self, folder: Path, repositories: Iterable[Path]) -> None:
        self._folder = folder
        self._repositories = tuple(repositories)
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def apply(self, text: str) -> str:
        """`text` with ids, digests, times and paths replaced."""
        text = text.replace(str(self._folder.resolve()), "[TMP]").replace(str(self._folder), "[TMP]")
        text = text.replace(str(ROOT), "[ROOT]")
        text = self._UUID.sub(lambda found: self._name("UUID", found.group()), text)
        text = self._DIGEST.sub("sha256:[DIGEST]", text)
        text = self._SHORT_DIGEST.sub("[DIGEST]", text)
        known = {name[:7] for folder in self._repositories for name in _objects(folder)}
        text = self._OBJECT.sub(lambda found: self._object(found.group(), known), text)
        text = self._DIRTY_TREE.sub("[TREE]", text)
        for pattern, mask in self._OTHERS:
            text = pattern.sub(mask, text)
        return "\n".join(line.rstrip() for line in text.split("\n"))

    def _object(self, text: str, known: set[str]) -> str:
        return self._name("SHA", text[:7]) if text[:7] in known else text

    def _name(self, kind: str, value: str) -> str:
        if value not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[value] = f"[{kind}{self._counts[kind]}]"
        return self._names[value]


def _objects(folder: Path) -> list[str]:
    """Ids of every object of a repository; none where there is no repository."""
    listed = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return listed.stdout.split()
