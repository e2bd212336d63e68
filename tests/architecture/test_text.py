"""What is in the files of the repository: plain text, no addresses of package registries, no paths of a machine."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, modules

# Spelt in parts, so that this file passes its own test.
HOSTS = tuple("".join(parts) for parts in (("pypi", ".org"), ("python", "hosted.org"), ("registry.npm", "js.org")))
# Home folders, temporary folders with a name in them, and this checkout.
_MACHINE = re.compile(r"(?<![\w.$~}/-])/(?:root|home/[a-z]+|opt/wheels)/[\w.]+")
_BINARY = frozenset({".png", ".gif", ".ico", ".woff2", ".whl", ".ipynb"})


def _files() -> list[Path]:
    """Files that git would commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    paths = [ROOT / name.decode() for name in listed.split(b"\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink() and path.suffix not in _BINARY]


@pytest.mark.parametrize("host", HOSTS)
def test_no_registry_host(host: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in _files() if host.encode() in path.read_bytes()] == []


def test_no_path_of_a_machine() -> None:
    parent = f"{ROOT.parent}/".encode()
    faults = []
    for path in _files():
        data = path.read_bytes()
        found = _MACHINE.search(data.decode("utf-8", "replace"))
        if found or (len(parent) > len("/tmp/") and parent in data):
            faults.append(f"{path.relative_to(ROOT)}: {found.group() if found else parent.decode()}")
    assert faults == []


def test_the_package_is_ascii() -> None:
    faults = []
    for module in modules():
        for number, line in enumerate(module.text.splitlines(), 1):
            if not line.isascii():
                faults.append(f"{module.name}:{number}")
    assert faults == []


def test_no_leftovers() -> None:
    words = ("TO" + "DO", "FIX" + "ME")
    faults = [f"{module.name}: {word}" for module in modules() for word in words if word in module.text]
    assert faults == []
