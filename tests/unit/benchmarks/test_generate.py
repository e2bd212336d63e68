"""Generated bundles: what is written is what was meant, twice the same, and of the promised size."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks import generate


@pytest.mark.parametrize("number", [0, 1, 37, 9_999])
def test_the_yaml_of_a_job_is_its_document(number: int) -> None:
    key, document = generate.job_document(number)
    text = generate.job_file(key, document)
    assert yaml.safe_load(text) == {"resources": {"jobs": {key: document}}}
    assert len(document["tasks"]) == 8
    assert 60 <= text.count("\n") <= 72


def test_a_bundle_is_a_committed_repository_whose_files_exist(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    generate.write_bundle(folder, 3)
    listed = subprocess.run(["git", "ls-files"], cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert {"databricks.yml", "src/extract.py", "notebooks/report.py", "resources/orders_00000.yml"} <= set(listed)
    assert len([name for name in listed if name.startswith("resources/")]) == 3
    for task in generate.job_document(0)[1]["tasks"]:
        path = task.get("spark_python_task", {}).get("python_file") or task["notebook_task"]["notebook_path"]
        assert (folder / "resources" / path).resolve().is_file()


def test_one_file_has_the_same_jobs(tmp_path: Path) -> None:
    generate.write_bundle(tmp_path / "bundle", 3, one_file=True)
    text = (tmp_path / "bundle" / "resources" / "all.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == {"resources": {"jobs": dict(map(generate.job_document, range(3)))}}


def test_one_changed_job_is_one_changed_line(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    generate.write_bundle(folder, 3)
    generate.change_job(folder, 1, 5)
    diff = subprocess.run(
        ["git", "diff", "--numstat", "HEAD~1", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert diff == "1\t1\tresources/clickstream_00001.yml\n"


def test_terraform_gets_the_same_documents(tmp_path: Path) -> None:
    folder = tmp_path / "terraform"
    generate.write_terraform(folder, 2)
    key, document = generate.job_document(1)
    written = json.loads((folder / f"{key}.tf.json").read_text())
    assert written == {"resource": {"terraform_data": {key: {"input": document}}}}
