"""Python files, wheels and operators as real processes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundlectl.base.digest import sha256_hex
from bundlectl.engine.attempt import prepare
from bundlectl.engine.files import seal, stage
from bundlectl.engine.tasks.base import (
    INVALID_RUN_CONFIGURATION,
    LIBRARY_INSTALLATION_ERROR,
    RESOURCE_NOT_FOUND,
    SetupFailed,
)
from bundlectl.engine.tasks.libraries import task_libraries
from bundlectl.engine.tasks.paths import localised
from bundlectl.model.artifact import ArtifactFile, file_snapshot, published_path
from tests.unit.engine.attempts import context, run, snapshot, wheel


def file_task(path: str, *parameters: Any) -> dict[str, Any]:
    return {"spark_python_task": {"python_file": path, "parameters": list(parameters)}}


def test_a_file_is_started_as_by_hand(tmp_path: Path) -> None:
    root = snapshot(
        tmp_path,
        {
            "src/main.py": "import os, sys, near, lib.far\nprint(sys.argv, os.getcwd(), __name__, sys.path[0])\n",
            "src/near.py": "",
            "lib/far.py": "",
        },
    )
    done = run(context(tmp_path, file_task("src/main.py", "a b", 1)))
    src = root / "src"
    assert done == (0, f"{[str(src / 'main.py'), 'a b', '1']} {src} __main__ {src}\n", ({}, None, [], None))
    assert not list(root.rglob("__pycache__"))


def test_a_failing_file_shows_its_own_traceback(tmp_path: Path) -> None:
    snapshot(tmp_path, {"main.py": "def f():\n    raise ValueError('no rows')\nf()\n"})
    done = run(context(tmp_path, file_task("main.py")))
    assert done.code == 1
    assert done.output.splitlines()[-1] == "ValueError: no rows"
    assert "taskside" not in done.output


@pytest.mark.parametrize(
    ("path", "code", "part"),
    [
        ("none.py", RESOURCE_NOT_FOUND, '"none.py" is not in the deployed code'),
        ("src", RESOURCE_NOT_FOUND, '"src" is a folder'),
        ("dbfs:/x.py", RESOURCE_NOT_FOUND, "mounts no other storage"),
        ("S3://b/x.py", RESOURCE_NOT_FOUND, "mounts no other storage"),
        ("/Workspace/Shared/x.py", RESOURCE_NOT_FOUND, "is a path of a workspace"),
        ("../outside.py", RESOURCE_NOT_FOUND, "is not in the deployed code|leaves"),
        ("link.py", INVALID_RUN_CONFIGURATION, "leaves the deployed code"),
        ("", INVALID_RUN_CONFIGURATION, '"python_file" is empty'),
    ],
)
def test_a_file_that_is_not_there(tmp_path: Path, path: str, code: str, part: str) -> None:
    root = snapshot(tmp_path, {"src/a.py": ""})
    (tmp_path / "outside.py").write_text("")
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(SetupFailed, match=part) as caught:
        prepare(context(tmp_path, file_task(path)))
    if path != "../outside.py":
        assert caught.value.code == code


def test_a_run_without_code(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed, match="this run has no deployed code"):
        prepare(context(tmp_path, file_task("a.py")))


CODE = """
import sys
def main(): print("main", sys.argv)
def other(): print("other", sys.argv); return 5
"""
POINTS = "[tools]\nrun=tiny:other\nlast=tiny:other\n[console_scripts]\nrun=tiny:main\n"


def wheel_task(entry_point: str, **members: Any) -> dict[str, Any]:
    return {
        "python_wheel_task": {"package_name": "tiny", "entry_point": entry_point, **members},
        "libraries": [{"whl": "dist/tiny-1.0-py3-none-any.whl"}],
    }


def test_entry_points_of_a_wheel(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"dist/x": "", "pyproject.toml": ""})
    wheel(root / "dist", code=CODE, entry_points=POINTS)
    host = {"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1"}

    def go(entry_point: str, **members: Any) -> tuple[int, str]:
        made = context(tmp_path, wheel_task(entry_point, **members), host_environment=host)
        done = run(made)
        return done.code, done.output

    assert go("run", parameters=["a", "b"]) == (0, "main ['tiny', 'a', 'b']\n")
    assert go("last") == (0, "other ['tiny']\n")
    assert go("other", named_parameters={"k": "v", "x": "1"}) == (0, "other ['tiny', '--k=v', '--x=1']\n")
    code, output = go("absent")
    assert code == 1
    assert output == 'The package "tiny" has no entry point "absent", and no function of that name\n'
    # The libraries of the default environment stay importable, and the environment was built once.
    assert len(list((tmp_path / "engine" / "environments").glob("*/bin/python"))) == 1


def test_a_wheel_that_was_built_at_deploy(tmp_path: Path) -> None:
    built = wheel(tmp_path, code=CODE, entry_points=POINTS)
    file = ArtifactFile("dist/tiny.whl", built.name, sha256_hex(built.read_bytes()))
    published = published_path("/Workspace/Users/a/.bundle/b/dev/artifacts", file)
    task = {**wheel_task("run"), "libraries": [{"whl": published}]}
    with pytest.raises(SetupFailed, match="is not on this engine; deploy again") as caught:
        prepare(context(tmp_path, task))
    assert caught.value.code == "RESOURCE_NOT_FOUND"
    digest = file_snapshot(file.sha256, file.name).digest
    stage(tmp_path / "engine", digest, file.name, "100644", built.read_bytes())
    seal(tmp_path / "engine", digest)
    # A job without code of its own, and one that has extras behind the wheel.
    settings = {"environments": [{"environment_key": "e", "spec": {"dependencies": [f"{published}[x]"]}}]}
    place = tmp_path / "engine" / "snapshots" / digest.removeprefix("sha256:") / built.name
    wanted = localised(context(tmp_path, {**task, "environment_key": "e"}, settings=settings))
    assert task_libraries(wanted) == [("wheel", str(place), None), ("wheel", f"{place}[x]", None)]
    host = {"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1"}
    done = run(context(tmp_path, task, host_environment=host))
    assert (done.code, done.output) == (0, "main ['tiny']\n")


def test_a_wheel_that_was_not_built(tmp_path: Path) -> None:
    snapshot(tmp_path, {"pyproject.toml": ""})
    with pytest.raises(SetupFailed, match=r'"dist/tiny.*" is not in the deployed code; build it') as caught:
        prepare(context(tmp_path, wheel_task("run")))
    assert caught.value.code == LIBRARY_INSTALLATION_ERROR


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    task = {"python_wheel_task": {"package_name": "no-such-package", "entry_point": "main"}}
    done = run(context(tmp_path, task))
    assert done.code == 1
    assert done.output == 'The package "no-such-package" is not installed; name its wheel under libraries\n'


def test_both_kinds_of_parameters(tmp_path: Path) -> None:
    task = wheel_task("run", parameters=["a"], named_parameters={"b": "c"})
    with pytest.raises(SetupFailed, match="exclude each other") as caught:
        prepare(context(tmp_path, task))
    assert caught.value.code == INVALID_RUN_CONFIGURATION


def test_libraries_and_dependencies(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"dist/a-1-py3-none-any.whl": "", "requirements.txt": ""})
    settings = {
        "environments": [
            {
                "environment_key": "e",
                "spec": {"dependencies": ["pandas==2.2", "-r requirements.txt", "dist/a-1-py3-none-any.whl[x]"]},
            }
        ]
    }
    task = {
        "libraries": [{"pypi": {"package": "six", "repo": "https://i"}}, {"requirements": "requirements.txt"}],
        "environment_key": "e",
    }
    assert task_libraries(context(tmp_path, task, settings=settings)) == [
        ("requirement", "pandas==2.2", None),
        ("requirement", "six", "https://i"),
        ("requirements_file", str(root / "requirements.txt"), None),
        ("wheel", str(root / "dist/a-1-py3-none-any.whl") + "[x]", None),
    ]


@pytest.mark.parametrize(
    ("task", "code", "part"),
    [
        ({"libraries": [{"maven": {"coordinates": "a:b:1"}}]}, LIBRARY_INSTALLATION_ERROR, 'kind "maven"'),
        ({"libraries": [{"pypi": {"package": "--index-url=x"}}]}, LIBRARY_INSTALLATION_ERROR, "is an option of pip"),
        ({"environment_key": "none"}, INVALID_RUN_CONFIGURATION, 'no environment "none"'),
    ],
)
def test_libraries_that_cannot_be(tmp_path: Path, task: dict[str, Any], code: str, part: str) -> None:
    with pytest.raises(SetupFailed, match=part) as caught:
        task_libraries(context(tmp_path, task))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("main", "code", "output"),
    [
        ("ops.run", 0, "run 1\n"),
        ("ops:run", 0, "run 1\n"),
        ("ops.Operator", 0, "made 1\ncalled\n"),
        ("ops.none", 1, 'The module "ops" has no "none"\n'),
        ("run", 1, '"run" names no module; write it as package.function\n'),
    ],
)
def test_operators(tmp_path: Path, main: str, code: int, output: str) -> None:
    text = "class Operator:\n    def __init__(self, a): print('made', a)\n    def __call__(self): print('called')\n"
    snapshot(tmp_path, {"ops.py": text + "def run(a): print('run', a)\n"})
    task = {"python_operator_task": {"main": main, "parameters": [{"name": "a", "value": "1"}]}}
    assert run(context(tmp_path, task))[:2] == (code, output)


def test_the_code_of_the_engine_is_not_on_the_search_path_of_a_task(tmp_path: Path) -> None:
    snapshot(tmp_path, {"ops.py": "import sys\ndef run(): print(*sys.path, sep='\\n')\n"})
    done = run(context(tmp_path, {"python_operator_task": {"main": "ops.run"}}))
    project = Path(__file__).resolve().parents[3]
    # An editable installation puts the project there for every program; what counts is what the engine adds.
    told = "import sys; print(*sys.path, sep='\\n')"
    bare = subprocess.run([sys.executable, "-c", told], env={}, capture_output=True, text=True, check=True)
    assert str(project) not in set(done.output.splitlines()) - set(bare.stdout.splitlines())
    assert str(project / "bundlectl" / "engine" / "taskside") not in done.output.splitlines()
    assert sys.prefix in done.output
