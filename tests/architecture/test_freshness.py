"""Generated files are what their generators give: schemas, and lock files that fit the declared dependencies."""

import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.architecture.source import ROOT

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ;.*)? \\$", re.MULTILINE)
_LOCKS = ("build", "runtime", "sql", "dev")


def _pins(name: str) -> dict[str, Version]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return {_folded(package): Version(version) for package, version in _PIN.findall(text)}


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_schemas_are_fresh() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bundlectl.schema.export", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", _LOCKS)
def test_locks_are_hashed_and_name_no_place(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert re.search(r"^\s*--(?!hash=)", text, re.MULTILINE) is None
    assert "://" not in text and " @ " not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if not entry.startswith("#") and "--hash=sha256:" not in entry] == []


def test_locks_fit_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {
        "build": project["build-system"]["requires"],
        "runtime": project["project"]["dependencies"],
        "sql": project["project"]["optional-dependencies"]["sql"],
        "dev": [
            line.split("#")[0].strip()
            for line in (ROOT / "requirements" / "dev.in").read_text(encoding="utf-8").splitlines()
            if line.split("#")[0].strip()
        ],
    }
    stale = []
    for name, requirements in declared.items():
        pins = _pins(name)
        for text in requirements:
            requirement = Requirement(text)
            version = pins.get(_folded(requirement.name))
            if version is None or version not in requirement.specifier:
                stale.append(f"{name}.txt: {text}")
    assert stale == [], "make lock"


def test_locks_agree_with_each_other() -> None:
    seen: dict[str, Version] = {}
    for name in _LOCKS:
        for package, version in _pins(name).items():
            assert seen.setdefault(package, version) == version, f"{package} differs in {name}.txt"
