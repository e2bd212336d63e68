"""`serve` without the libraries of its extra says what to install, and its help works without them."""

import subprocess
import sys

import pytest

from bundlectl.cli.main import run

_WITHOUT = """\
import sys
sys.modules[{missing!r}] = None
from bundlectl.cli.wiring import web_server
from bundlectl.model.errors import Unsupported
try:
    web_server()
except Unsupported as error:
    print(error, error.hint, sep="\\n")
"""


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_missing_libraries_are_named(missing: str) -> None:
    # In a process of its own: modules that were taken out of this one would not be the same when they are put back.
    code = _WITHOUT.format(missing=missing)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert f'needs the package "{missing}' in said[0]
    assert said[1] == 'install it with: pip install "bundlectl[server]"'


def test_the_help_needs_none_of_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run(["serve", "--help"]) == 0
    assert "--behind-proxy" in capsys.readouterr().out
