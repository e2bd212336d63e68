"""The wheel holds what the program needs, and works where the checkout is out of reach."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.builders import isolated_environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built offline."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            folder,
            ROOT,
        ],
        folder,
        dict(os.environ),
    )
    (built,) = folder.glob("*.whl")
    return built


def _run(words: list[object], folder: Path, environment: dict[str, str]) -> str:
    ran = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 0, f"{words}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def test_the_wheel_holds_package_templates_and_schemas(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "bundlectl/py.typed" in names
    assert "bundlectl/_data/templates/orders/databricks.yml" in names
    assert "bundlectl/_data/templates/orders/.gitignore" in names
    assert "bundlectl/_data/schemas/plan/v1.json" in names
    assert [name for name in names if name.startswith(("tests/", "benchmarks/")) or "__pycache__" in name] == []
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bundlectl").rglob("*.sql")}
    assert package <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_works_alone(wheel: Path, tmp_path: Path) -> None:
    """Installed without the checkout: the main line, from template to recorded run."""
    installed = tmp_path / "installed"
    environment = isolated_environment(tmp_path / "user", os.environ)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", installed, wheel]
    _run([*pip], tmp_path, environment)
    environment["PYTHONPATH"] = str(installed)
    # -P: the folder that the command starts in is no place to import from.
    program: list[object] = [sys.executable, "-P", "-m", "bundlectl"]
    where = _run([sys.executable, "-P", "-c", "import bundlectl; print(bundlectl.__file__)"], tmp_path, environment)
    assert where.startswith(str(installed))
    _run([*program, "init", "minimal", "shop"], tmp_path, environment)
    shop = tmp_path / "shop"
    _run(["git", "init", "--quiet"], shop, environment)
    _run(["git", "add", "--all"], shop, environment)
    _run(["git", "commit", "--quiet", "--message=first"], shop, environment)
    _run([*program, "validate"], shop, environment)
    _run([*program, "plan"], shop, environment)
    _run([*program, "deploy", "--auto-approve"], shop, environment)
    assert "SUCCESS" in _run([*program, "run", "hello"], shop, environment)
