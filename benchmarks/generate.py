"""Writes a git repository with a bundle of N realistic 8-task jobs, and the same jobs for Terraform.

    python -m benchmarks.generate FOLDER --jobs 1000

One YAML file of about 67 lines per job below resources/, and a handful of source files that all jobs share, as in
real repositories. Equal arguments give equal files. Used by plan_bench.
"""

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = "bench"

_AREAS = ("orders", "clickstream", "billing", "stock", "returns", "loyalty", "pricing", "support")
_ZONES = ("Europe/Madrid", "America/New_York", "UTC", "Asia/Tokyo")

_SOURCES = {
    "src/extract.py": 'import sys\n\nfrom common import read\n\nprint("extracted", read(sys.argv[1:]))\n',
    "src/clean.py": 'import sys\n\nfrom common import read\n\nprint("cleaned", read(sys.argv[1:]))\n',
    "src/join.py": 'import sys\n\nfrom common import read\n\nprint("joined", read(sys.argv[1:]))\n',
    "src/publish.py": 'import sys\n\nfrom common import read\n\nprint("published", read(sys.argv[1:]))\n',
    "src/common.py": "def read(arguments: list[str]) -> int:\n    return len(arguments)\n",
    "notebooks/features.py": '# Databricks notebook source\nprint("a")\n\n# COMMAND ----------\n\nprint("b")\n',
    "notebooks/report.py": '# Databricks notebook source\nprint("report")\n',
}

_ROOT_FILE = f"""bundle:
  name: bench

include:
  - resources/*.yml

bundlectl:
  backend: local

targets:
  {TARGET}:
    default: true
"""


def job_document(number: int, retries: int = 2) -> tuple[str, dict[str, Any]]:
    """Key and document of one job as the bundle writes it. `retries` is what "one job changed" changes."""
    area = _AREAS[number % len(_AREAS)]
    key = f"{area}_{number:05d}"

    def python(task: str, file: str, after: list[str], **more: Any) -> dict[str, Any]:
        depends = {"depends_on": [{"task_key": name} for name in after]} if after else {}
        arguments = ["--day", "{{job.parameters.day}}", "--table", f"{area}_{number % 97}"]
        return {
            "task_key": task,
            **depends,
            "spark_python_task": {"python_file": file, "parameters": arguments},
            **more,
        }

    def notebook(task: str, path: str, after: list[str]) -> dict[str, Any]:
        depends = [{"task_key": name} for name in after]
        return {"task_key": task, "depends_on": depends, "notebook_task": {"notebook_path": path}}

    return key, {
        "name": f"{area} pipeline {number}",
        "description": f"Loads {area}, shard {number}, and reports on it",
        "schedule": {
            "quartz_cron_expression": f"0 {number % 60} {number % 24} * * ?",
            "timezone_id": _ZONES[number % len(_ZONES)],
        },
        "max_concurrent_runs": 1,
        "timeout_seconds": 7200,
        "email_notifications": {"on_failure": [f"team-{number % 12}@example.com"]},
        "parameters": [{"name": "day", "default": "{{job.start_time.iso_date}}"}],
        "tags": {"team": f"team-{number % 12}"},
        "tasks": [
            python("extract", "../src/extract.py", [], max_retries=retries, min_retry_interval_millis=30000),
            python("extract_reference", "../src/extract.py", [], timeout_seconds=900),
            python("clean", "../src/clean.py", ["extract"], max_retries=1),
            python("join", "../src/join.py", ["clean", "extract_reference"]),
            notebook("features", "../notebooks/features.py", ["join"]),
            notebook("report", "../notebooks/report.py", ["join"]),
            python("publish", "../src/publish.py", ["features", "report"]),
            python("alert", "../src/publish.py", ["publish"], run_if="AT_LEAST_ONE_FAILED"),
        ],
    }


def job_file(key: str, document: dict[str, Any]) -> str:
    """The YAML file of one job."""
    return "\n".join(_yaml({"resources": {"jobs": {key: document}}}, "")) + "\n"


def write_bundle(folder: Path, jobs: int, *, one_file: bool = False) -> None:
    """A new git repository with the bundle, committed. The folder must not exist yet. A file for each job, or one."""
    folder.mkdir(parents=True)
    for name, text in {**_SOURCES, "databricks.yml": _ROOT_FILE}.items():
        _write(folder / name, text)
    documents = dict(map(job_document, range(jobs)))
    if one_file:
        text = "\n".join(_yaml({"resources": {"jobs": documents}}, "")) + "\n"
        _write(folder / "resources" / "all.yml", text)
    else:
        for key, document in documents.items():
            _write(folder / "resources" / f"{key}.yml", job_file(key, document))
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, f"{jobs} jobs")


def change_job(folder: Path, number: int, retries: int) -> None:
    """Gives one job another value of one field, and commits that."""
    key, document = job_document(number, retries)
    _write(folder / "resources" / f"{key}.yml", job_file(key, document))
    commit(folder, f"retry {key} {retries} times")


def write_terraform(folder: Path, jobs: int) -> None:
    """The same job documents as inputs of `terraform_data`, which needs no provider: one file per job."""
    folder.mkdir(parents=True)
    for number in range(jobs):
        key, document = job_document(number)
        text = json.dumps({"resource": {"terraform_data": {key: {"input": document}}}}, indent=1)
        # `${` and `%{` start templates there; the documents have none, and a new one must not slip through.
        assert "${" not in text and "%{" not in text
        _write(folder / f"{key}.tf.json", text)


def commit(folder: Path, message: str) -> None:
    """Commits everything."""
    git(folder, "add", "--all")
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgSign=false")
    git(folder, *identity, "commit", "--quiet", "--message", message)


def git(folder: Path, *arguments: str) -> None:
    """Runs git, quietly, without packing in the background while others measure."""
    subprocess.run(["git", "-c", "gc.auto=0", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9 ,_./+-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off"}


def _yaml(value: Any, indent: str) -> Iterator[str]:
    """Lines of a map in block style; lists of scalars in flow style, as people write them."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from _yaml(item, indent + "  ")
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield f"{indent}{key}:"
            for element in item:
                first, *rest = _yaml(element, indent + "    ")
                yield f"{indent}  - {first.strip()}"
                yield from rest
        elif isinstance(item, list):
            yield f"{indent}{key}: [{', '.join(map(_scalar, item))}]"
        else:
            yield f"{indent}{key}: {_scalar(item)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and "," not in value and value.lower() not in _WORDS:
        return value
    return json.dumps(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="new folder for the repository")
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--terraform", type=Path, help="new folder for the same jobs as Terraform configuration")
    arguments = parser.parse_args()
    write_bundle(arguments.folder, arguments.jobs)
    if arguments.terraform is not None:
        write_terraform(arguments.terraform, arguments.jobs)


if __name__ == "__main__":
    main()
