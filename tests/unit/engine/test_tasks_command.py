"""shell_task, jobs.md 5.1."""

from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine.attempt import prepare
from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, RESOURCE_NOT_FOUND, SetupFailed
from tests.unit.engine.attempts import context, run, snapshot


def test_a_list_is_executed_without_a_shell(tmp_path: Path) -> None:
    task = {"shell_task": {"command": ["printf", "%s|", "$HOME", "a b", "*", 3]}}
    assert run(context(tmp_path, task)).output == "$HOME|a b|*|3|"


def test_text_is_a_shell_command(tmp_path: Path) -> None:
    task = {"shell_task": {"command": "echo $BUNDLECTL_PARAM_day; exit 3"}}
    done = run(context(tmp_path, task, parameters={"day": "x; echo y"}))
    assert (done.code, done.output) == (3, "x; echo y\n")


def test_the_working_directory_is_the_root_of_the_code_or_one_below(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"jobs/etl/x": ""})
    assert run(context(tmp_path, {"shell_task": {"command": ["pwd"]}})).output.strip() == str(root)
    task = {"shell_task": {"command": ["pwd"], "working_directory": "jobs/etl"}}
    assert run(context(tmp_path, task)).output.strip() == str(root / "jobs/etl")


def test_without_code_it_is_the_run_folder(tmp_path: Path) -> None:
    made = context(tmp_path, {"shell_task": {"command": ["pwd"]}})
    assert run(made).output.strip() == str(made.run_dir)


def test_python_is_the_interpreter_of_the_tasks(tmp_path: Path) -> None:
    made = context(tmp_path, {"shell_task": {"command": ["python", "-c", "import sys; print(sys.prefix)"]}})
    assert run(made).output.strip() == str(Path(made.interpreter).parent.parent)


def test_a_program_of_the_code_is_found_from_the_working_directory(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"tools/go": "#!/bin/sh\necho went\n"})
    task = {"shell_task": {"command": ["./go"], "working_directory": "tools"}}
    with pytest.raises(SetupFailed, match=r'"\./go" is not executable') as caught:
        prepare(context(tmp_path, task))
    assert caught.value.code == RESOURCE_NOT_FOUND
    (root / "tools/go").chmod(0o755)
    assert run(context(tmp_path, task)).output == "went\n"


@pytest.mark.parametrize(
    ("body", "code", "part"),
    [
        ({"command": []}, INVALID_RUN_CONFIGURATION, '"command" is empty'),
        ({"command": "  "}, INVALID_RUN_CONFIGURATION, '"command" is empty'),
        ({}, INVALID_RUN_CONFIGURATION, '"command" is empty'),
        ({"command": ["no-such-program"]}, RESOURCE_NOT_FOUND, '"no-such-program" is not on PATH'),
        ({"command": ["tools/none"]}, RESOURCE_NOT_FOUND, '"tools/none" does not exist'),
        ({"command": ["true"], "working_directory": "/"}, INVALID_RUN_CONFIGURATION, "not a path inside"),
        ({"command": ["true"], "working_directory": "a/../.."}, INVALID_RUN_CONFIGURATION, "not a path inside"),
        ({"command": ["true"], "working_directory": "none"}, RESOURCE_NOT_FOUND, "not in the deployed code"),
        ({"command": ["true"], "working_directory": "link"}, INVALID_RUN_CONFIGURATION, "leaves the deployed code"),
    ],
)
def test_what_cannot_start(tmp_path: Path, body: dict[str, Any], code: str, part: str) -> None:
    root = snapshot(tmp_path, {"a/b": ""})
    (root / "link").symlink_to("/")
    with pytest.raises(SetupFailed, match=part) as caught:
        prepare(context(tmp_path, {"shell_task": body}))
    assert caught.value.code == code
