"""Tasks that run a program of the machine: java, spark-submit, training scripts."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundlectl.engine.attempt import prepare
from bundlectl.engine.tasks.base import (
    FEATURE_DISABLED,
    INVALID_RUN_CONFIGURATION,
    LIBRARY_INSTALLATION_ERROR,
    RESOURCE_NOT_FOUND,
    SetupFailed,
)
from tests.unit.engine.attempts import context, run, snapshot

_MAIN = """
package a;
public class Main {
    public static void main(String[] words) {
        System.out.println(String.join("|", words) + " " + System.getenv("BUNDLECTL_TASK_KEY"));
        if (words.length > 2) throw new IllegalStateException("too many");
    }
}
"""


def _host(folder: Path, *programs: str) -> dict[str, str]:
    """An environment whose PATH is `folder/bin`: programs of the system by name, and scripts that are there already."""
    (folder / "bin").mkdir(exist_ok=True)
    for name in programs:
        found = shutil.which(name)
        assert found is not None
        (folder / "bin" / name).symlink_to(found)
    return {"PATH": str(folder / "bin"), "HOME": str(folder)}


def _jar_task(*parameters: str, jar: str = "lib/a.jar", main: str = "a.Main") -> dict[str, Any]:
    body = {"main_class_name": main, "parameters": list(parameters)}
    return {"spark_jar_task": body, "libraries": [{"jar": jar}]}


@pytest.mark.skipif(not (shutil.which("javac") and shutil.which("jar")), reason="needs a JDK")
def test_a_main_class_of_a_jar(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"lib/a/Main.java": _MAIN})
    subprocess.run(["javac", "a/Main.java"], cwd=root / "lib", check=True)
    subprocess.run(["jar", "cf", "a.jar", "a/Main.class"], cwd=root / "lib", check=True)
    done = run(context(tmp_path, _jar_task("x y", "$HOME")))
    assert (done.code, done.output) == (0, "x y|$HOME me\n")
    failed = run(context(tmp_path, _jar_task("1", "2", "3")))
    assert failed.code == 1
    assert "IllegalStateException: too many" in failed.output


@pytest.mark.parametrize(
    ("task", "code", "part"),
    [
        (_jar_task(main=""), INVALID_RUN_CONFIGURATION, '"main_class_name" is empty'),
        (_jar_task(main="-XshowSettings"), INVALID_RUN_CONFIGURATION, "is an option of java"),
        (_jar_task() | {"libraries": []}, INVALID_RUN_CONFIGURATION, 'no jar under libraries has the class "a.Main"'),
        (_jar_task(jar="none.jar"), LIBRARY_INSTALLATION_ERROR, '"none.jar" is not in the deployed code; build it'),
        (_jar_task() | {"libraries": [{"maven": {}}]}, LIBRARY_INSTALLATION_ERROR, 'kind "maven" cannot be'),
        (_jar_task(), RESOURCE_NOT_FOUND, 'the program "java" is not on PATH'),
    ],
)
def test_a_jar_that_cannot_start(tmp_path: Path, task: dict[str, Any], code: str, part: str) -> None:
    snapshot(tmp_path, {"lib/a.jar": ""})
    with pytest.raises(SetupFailed, match=part) as caught:
        prepare(context(tmp_path, task, host_environment=_host(tmp_path), interpreter=str(tmp_path / "bin/python")))
    assert caught.value.code == code


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    snapshot(tmp_path, {"lib/a.jar": ""})
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    host = {**_host(tmp_path), "JAVA_HOME": str(tmp_path / "jdk")}
    assert prepare(context(tmp_path, _jar_task(), host_environment=host)).argv[0] == str(java)


def test_spark_submit_only_where_it_is(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"main.py": ""})
    task = {"spark_submit_task": {"parameters": ["--conf", "a=b c", "main.py"]}}
    host = _host(tmp_path)
    with pytest.raises(SetupFailed, match='the program "spark-submit" is not on PATH') as caught:
        prepare(context(tmp_path, task, host_environment=host))
    assert caught.value.code == RESOURCE_NOT_FOUND
    program = tmp_path / "bin" / "spark-submit"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\npwd\n')
    program.chmod(0o755)
    assert run(context(tmp_path, task, host_environment=host)).output == f"--conf|a=b c|main.py|{root}\n"


@pytest.mark.parametrize(
    ("command", "script", "expected"),
    [
        (None, "print('by default', __file__[-8:])", "by default train.py\n"),
        ("python -O", "print(__debug__)", "False\n"),
        ("bash", "echo in bash", "in bash\n"),
    ],
)
def test_a_training_script(tmp_path: Path, command: str | None, script: str, expected: str) -> None:
    snapshot(tmp_path, {"train.py": script})
    body = {"dl_runtime_image": "x", "training_script_path": "train.py", **({"command": command} if command else {})}
    done = run(context(tmp_path, {"gen_ai_compute_task": body}))
    assert (done.code, done.output) == (0, expected)


def _runtime(*paths: str) -> dict[str, Any]:
    compute = {"accelerator_type": "GPU_1xA10", "accelerator_count": 1}
    deployments = [{"command_path": path, "compute": compute} for path in paths]
    return {"ai_runtime_task": {"experiment": "e", "deployments": deployments}}


def test_the_script_of_a_deployment(tmp_path: Path) -> None:
    root = snapshot(tmp_path, {"run.sh": "python near.py && exit 7\n", "near.py": "import os; print(os.getcwd())\n"})
    done = run(context(tmp_path, _runtime("run.sh")))
    assert (done.code, done.output) == (7, f"{root}\n")
    assert run(context(tmp_path, _runtime("near.py"))).output == f"{root}\n"


@pytest.mark.parametrize(
    ("task", "code", "part"),
    [
        (_runtime(), INVALID_RUN_CONFIGURATION, '"deployments" is empty'),
        (_runtime("a.sh", "b.sh"), FEATURE_DISABLED, "2 deployments need as many machines"),
        (_runtime("none.sh"), RESOURCE_NOT_FOUND, 'command_path "none.sh" is not in the deployed code'),
        ({"gen_ai_compute_task": {}}, INVALID_RUN_CONFIGURATION, '"training_script_path" is empty'),
        (
            {"gen_ai_compute_task": {"training_script_path": "a.sh", "command": 'bash "'}},
            INVALID_RUN_CONFIGURATION,
            "No closing quotation",
        ),
        (
            {"gen_ai_compute_task": {"training_script_path": "a.sh", "command": "torchrun"}},
            RESOURCE_NOT_FOUND,
            'the program "torchrun" is not on PATH',
        ),
    ],
)
def test_scripts_that_cannot_start(tmp_path: Path, task: dict[str, Any], code: str, part: str) -> None:
    snapshot(tmp_path, {"a.sh": "", "b.sh": ""})
    with pytest.raises(SetupFailed, match=part) as caught:
        prepare(context(tmp_path, task, host_environment={"PATH": os.devnull}))
    assert caught.value.code == code
