"""`serve` without the libraries of its extra says what to install, and its help works without them."""

import sys

import pytest

from bundlectl.cli.main import run
from bundlectl.cli.wiring import web_server
from bundlectl.model.errors import Unsupported


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in [name for name in sys.modules if name.startswith(("bundlectl.web", missing))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(Unsupported, match=f'needs the package "{missing}') as raised:
        web_server()
    assert raised.value.hint == 'install it with: pip install "bundlectl[server]"'


def test_the_help_needs_none_of_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run(["serve", "--help"]) == 0
    assert "--behind-proxy" in capsys.readouterr().out
