"""Commands that read run nothing: a repository in which everything that may run leaves a mark, under an audit hook."""
# ruff: noqa: E501  (lists of names)

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import RepositoryBuilder
from tests.hostile.watched import git_verb

WATCHED = Path(__file__).with_name("watched.py")
HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout", "post-commit", "post-index-change",
    "post-merge", "post-rewrite", "pre-applypatch", "pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase",
    "prepare-commit-msg", "reference-transaction", "sendemail-validate", "update",
)  # fmt: skip
SETTINGS = (
    "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "diff.evil.command", "merge.evil.driver",
    "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.alternateRefsCommand", "core.gitProxy",
    "diff.external", "gpg.program", "gpg.ssh.program", "credential.helper", "sequence.editor", "uploadpack.packObjectsHook",
    "alias.rev-parse", "alias.cat-file", "alias.ls-files", "pager.ls-files", "pager.rev-parse",
)  # fmt: skip
# Names that Python or a shell may look for where a command is started.
MODULES = (
    "setup", "conftest", "sitecustomize", "usercustomize", "yaml", "git", "typer", "json", "zoneinfo", "tomllib", "pathspec",
    "bundlectl", "databricks", "_in_tree_build", "tasks", "noxfile", "fabfile",
)  # fmt: skip
PROGRAMS = ("git", "python", "python3", "sh", "bash", "less", "ssh", "uv", "pip", "make")
BUNDLE = """\
bundle: {name: shop}
include: ["resources/*.yml"]
variables:
  day: {default: monday}
artifacts:
  wheel: {type: whl, build: "./build.sh"}
targets:
  free: {default: true}
  dev: {mode: development}
resources:
  jobs:
    etl:
      name: "etl ${var.day}"
      schedule: {quartz_cron_expression: "0 0 6 * * ?", timezone_id: Europe/Paris}
      tasks:
        - {task_key: run, shell_task: {command: ["./program.sh"]}}
        - {task_key: load, spark_python_task: {python_file: src/load.py}}
        - {task_key: sql, depends_on: [{task_key: load}], sql_task: {warehouse_id: w, file: {path: src/q.sql}}}
"""
RUNS_CODE = """\
python: {resources: ["resources_in_python:load"], mutators: ["resources_in_python:change"], venv_path: .venv}
scripts: {hello: {content: "touch hello"}}
experimental: {scripts: {preinit: "touch preinit", postinit: "touch postinit", predeploy: "touch predeploy"}}
"""


class Trap:
    """The repository, where its programs leave marks, and how to run a command in it."""

    def __init__(self, repository: RepositoryBuilder, folder: Path) -> None:
        self.repository = repository
        self.marks = folder / "marks"
        self.marks.mkdir()
        self._log = folder / "log"
        self._set()

    def _program(self, name: str) -> str:
        return f"#!/bin/sh\ntouch '{self.marks}/{name}'\ncat\n"

    def _set(self) -> None:
        at = self.repository
        python = "import pathlib\npathlib.Path({mark!r}).touch()\n"
        files = {f"{name}.py": python.format(mark=str(self.marks / name)) for name in MODULES}
        files |= {f"src/{name}.py": text for name, text in (("load", files["setup.py"]),)}
        files["resources_in_python.py"] = python.format(mark=str(self.marks / "resources"))
        files["pyproject.toml"] = (
            '[build-system]\nrequires = []\nbuild-backend = "_in_tree_build"\nbackend-path = ["."]\n'
        )
        files["setup.cfg"] = "[options]\n"
        files["evil.pth"] = f"import pathlib; pathlib.Path({str(self.marks / 'pth')!r}).touch()\n"
        files["src/q.sql"] = "select 1\n"
        files[".gitattributes"] = "* filter=evil diff=evil merge=evil ident text\n"
        files[".envrc"] = f"touch '{self.marks}/envrc'\n"
        files[".env"] = "GIT_SSH_COMMAND=/bin/false\n"
        files[".gitmodules"] = (
            f'[submodule "s"]\n\tpath = s\n\turl = file:///nowhere\n\tupdate = !touch {self.marks}/submodule\n'
        )
        files["Makefile"] = f"all:\n\ttouch '{self.marks}/make'\n$(shell touch '{self.marks}/make-shell')\n"
        for name in (*PROGRAMS, "build.sh", "program.sh", ".venv/bin/python3", ".venv/bin/python"):
            files[name] = self._program(name.replace("/", "-"))
        at.commit("first", {**files, "databricks.yml": BUNDLE})
        at.commit(
            "second",
            {
                "databricks.yml": BUNDLE.replace("monday", "tuesday"),
                "resources/more.yml": "variables: {x: {default: 1}}\n",
            },
        )
        for path in at.folder.rglob("*"):
            if path.is_file() and path.read_bytes().startswith(b"#!"):
                path.chmod(path.stat().st_mode | stat.S_IXUSR)
        for key in SETTINGS:
            program = self.marks.parent / f"program-{key}"
            program.write_text(self._program(key))
            program.chmod(0o755)
            at.git("config", key, str(program))
        at.git("config", "filter.evil.required", "true")
        at.git("config", "log.showSignature", "true")
        hooks = at.folder / ".git/hooks"
        hooks.mkdir(exist_ok=True)
        for hook in HOOKS:
            (hooks / hook).write_text(self._program(f"hook-{hook}"))
            (hooks / hook).chmod(0o755)
        for mark in self.marks.iterdir():  # setting the trap may have run into it
            mark.unlink()

    def make_dirty(self) -> None:
        self.repository.write({"src/load.py": "changed\n", "src/new.py": "new\n"})
        now = (self.repository.folder / ".git/index").stat().st_mtime_ns
        for path in (self.repository.folder / "src").iterdir():  # as young as the index: git would look into each
            os.utime(path, ns=(now, now))

    def run(self, *words: str) -> tuple[int, str, str, list[str], list[str]]:
        """Exit code, stdout, stderr, what the hook saw, and what left a mark."""
        self._log.write_text("")
        environment = {**self.repository.environment, "PATH": f"{os.environ['PATH']}{os.pathsep}.", "PYTHONPATH": ""}
        done = subprocess.run(
            [sys.executable, str(WATCHED), str(self._log), str(self.repository.folder), *words],
            cwd=self.repository.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        marks = sorted(mark.name for mark in self.marks.iterdir())
        return done.returncode, done.stdout, done.stderr, self._log.read_text().splitlines(), marks


@pytest.fixture
def trap(repository: RepositoryBuilder, tmp_path: Path) -> Trap:
    return Trap(repository, tmp_path)


READS = [
    ("validate",),
    ("validate", "-o", "json"),
    ("validate", "--ref", "HEAD~1"),
    ("validate", "-t", "dev"),
    ("plan",),
    ("plan", "-o", "json"),
    ("plan", "--ref", "HEAD~1"),
    ("plan", "-t", "dev"),
    ("summary",),
    ("history",),
    ("schema", "bundle"),
    ("explain", "BND204"),
    ("explain", "resources.jobs.etl.tasks[task_key='load'].max_retries"),
    ("explain", "resources.jobs.etl.name"),
    ("diff", "HEAD~1..HEAD"),
    ("diff", "HEAD~1..HEAD", "-o", "json"),
]


OF_A_DIRTY_TREE = [("validate", "-o", "json"), ("plan",), ("plan", "--worktree"), ("plan", "-t", "dev")]


@pytest.mark.parametrize("dirty", [False, True], ids=["clean", "dirty"])
def test_commands_that_read_run_nothing(trap: Trap, dirty: bool) -> None:
    if dirty:
        trap.make_dirty()
    for words in OF_A_DIRTY_TREE if dirty else READS:
        code, out, err, seen, marks = trap.run(*words)
        assert (seen, marks) == ([], []), words
        assert code == 0, (words, out, err)


@pytest.mark.parametrize(
    ("words", "code"), [(("validate",), 0), (("plan", "--worktree"), 6), (("validate", "--untrusted"), 0)]
)
def test_code_that_a_bundle_names_is_refused_or_left_out(trap: Trap, words: tuple[str, ...], code: int) -> None:
    trap.repository.write({"databricks.yml": BUNDLE + RUNS_CODE})
    ended, out, err, seen, marks = trap.run(*words)
    assert (seen, marks) == ([], [])
    assert ended == code, (out, err)
    assert "python" in err


def test_what_is_printed_is_the_bundle(trap: Trap) -> None:
    _, out, _, _, _ = trap.run("validate", "-o", "json")
    assert json.loads(out)["resources"]["jobs"]["etl"]["name"] == "etl tuesday"


@pytest.mark.parametrize(
    ("program", "seen"),
    [
        ("import os; os.system('true')", "os.system"),
        ("import subprocess; subprocess.run(['true'])", "started ['true']"),
        ("import subprocess; subprocess.run(['git', '-C', '/', 'status'])", "started ['git', '-C', '/', 'status']"),
        ("import subprocess; subprocess.run(['git', '--version-x', 'hash-object'])", "started ["),
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "socket.connect"),
        ("import runpy; runpy.run_path(repository + '/setup.py')", "ran "),
        ("open(repository + '/x', 'w')", "wrote "),
        ("import os; os.mkdir(repository + '/folder')", "os.mkdir"),
    ],
)
def test_the_hook_sees_what_is_against_the_rules(trap: Trap, program: str, seen: str) -> None:
    *_, told, _ = trap.run("--try", program)
    assert any(line.startswith(seen) for line in told), told


def test_the_marks_can_be_left(trap: Trap) -> None:
    trap.make_dirty()
    subprocess.run(
        ["git", "add", "src/load.py"], cwd=trap.repository.folder, env=trap.repository.environment, check=False, capture_output=True
    )  # fmt: skip
    assert {"core.fsmonitor", "filter.evil.process"} <= {mark.name for mark in trap.marks.iterdir()}


def test_the_command_of_a_call_of_git() -> None:
    assert git_verb(["-C", "push", "-c", "alias.x=y", "--git-dir=z", "rev-parse", "HEAD"]) == "rev-parse"
    assert git_verb(["-c"]) == ""
