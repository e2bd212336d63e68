"""The demo runs to its end, shows what it promises and leaves what it says."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.harness import program_folder

_DEMO = Path(__file__).with_name("demo.sh")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Output and folder of one run of the demo."""
    home = tmp_path_factory.mktemp("demo")
    folder = home / "demo"
    ran = subprocess.run(
        ["sh", str(_DEMO), str(program_folder(home / "bin", sys.executable)), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout, folder


def test_the_plan_names_the_changed_field_and_file(demo: tuple[str, Path]) -> None:
    changes = demo[0].split("=== 5.")[1].split("=== 6.")[0]
    assert "tasks[train].max_retries" in changes
    assert "1 -> 3" in changes
    assert "resources/orders_pipeline.yml:" in changes
    assert "src/publish.py" in changes
    assert "Plan: 0 to add, 1 to change, 0 to delete, 0 unchanged" in changes


def test_the_manifest_names_the_commit(demo: tuple[str, Path]) -> None:
    output, folder = demo
    first = subprocess.run(
        ["git", "rev-list", "--max-parents=0", "main"], cwd=folder / "shop", capture_output=True, text=True, check=True
    ).stdout.strip()
    assert first[:7] in output.split("=== 4.")[1].split("=== 5.")[0].split("$ git log")[0]


def test_results_can_be_opened(demo: tuple[str, Path]) -> None:
    report = demo[1] / "results" / "published" / "report.html"
    assert "Customers who will order again" in report.read_text(encoding="utf-8")
    assert len(list((demo[1] / "results" / "runs").iterdir())) == 2


def test_the_demo_removes_only_what_a_demo_made(demo: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine", encoding="utf-8")
    ran = subprocess.run(["sh", str(_DEMO), str(tmp_path), str(tmp_path)], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "was not made by the demo" in ran.stderr
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "mine"
