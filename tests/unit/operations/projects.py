"""Bundles whose jobs run a wheel that is built from the bundle itself, with a back-end that needs no network."""

import sys
from pathlib import Path

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.26"]
build-backend = "hatchling.build"

[project]
name = "shop"
version = "0.1"

[project.scripts]
report = "shop:report"

[tool.hatch.build.targets.wheel]
packages = ["src/shop"]
"""


def module(word: str) -> str:
    """The module of the package: its entry point prints a word."""
    return f"import sys\n\n\ndef report():\n    print('sold', '{word}', *sys.argv[1:])\n"


def bundle_of_wheel(
    *, library: str = "dist/*.whl", artifact: str = "{type: whl}", name: str = "report", more: str = ""
) -> str:
    """A bundle with one artifact (none when it is empty) and one job that runs its wheel."""
    artifacts = f"artifacts:\n  wheel: {artifact}\n" if artifact else ""
    return (
        f"bundle: {{name: shop}}\nbundlectl: {{backend: local}}\n{artifacts}"
        f"resources:\n  jobs:\n    report:\n      name: {name}\n      tasks:\n        - task_key: main\n"
        f"          python_wheel_task: {{package_name: shop, entry_point: report}}\n"
        f"          libraries:\n            - whl: {library}\n{more}"
    )


def project(word: str = "one", **options: str) -> dict[str, str | bytes]:
    """The files of such a bundle."""
    return {
        "databricks.yml": bundle_of_wheel(**options),
        "pyproject.toml": PYPROJECT,
        "src/shop/__init__.py": module(word),
        ".gitignore": "dist/\n",
    }


def build_script(body: str) -> str:
    """An artifact that a command of the bundle makes: `make.py`, run by the interpreter of the tests."""
    return f"{{type: whl, build: {body}, files: [{{source: dist/*.whl}}]}}"


PYTHON = sys.executable
CACHE = Path("user", "cache", "artifacts")  # below the folder of a test
