"""COMMANDS, the literal table verb -> application, and the way from arguments to an exit code.

A command's module is imported only when that command is chosen. Parsing inside a command is Typer's; the overview is
written here, so that it needs no command to be loaded.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bundlectl import __version__
from bundlectl.base.suggest import nearest
from bundlectl.cli.boundary import guarded
from bundlectl.model.errors import UsageError

Application = Callable[..., Any]


class Verb(NamedTuple):
    """One verb: how its Typer application is loaded, its group and its line in the overview."""

    load: Callable[[], Application]
    group: str
    help: str


def _init() -> Application:
    from bundlectl.cli.commands.adopt import init_app

    return init_app


def _validate() -> Application:
    from bundlectl.cli.commands.validate import validate_app

    return validate_app


def _schema() -> Application:
    from bundlectl.cli.commands.schema import schema_app

    return schema_app


def _explain() -> Application:
    from bundlectl.cli.commands.explain import explain_app

    return explain_app


def _plan() -> Application:
    from bundlectl.cli.commands.plan import plan_app

    return plan_app


def _diff() -> Application:
    from bundlectl.cli.commands.diff import diff_app

    return diff_app


def _drift() -> Application:
    from bundlectl.cli.commands.drift import drift_app

    return drift_app


def _deploy() -> Application:
    from bundlectl.cli.commands.deploy import deploy_app

    return deploy_app


def _destroy() -> Application:
    from bundlectl.cli.commands.destroy import destroy_app

    return destroy_app


def _undelete() -> Application:
    from bundlectl.cli.commands.tombstones import undelete_app

    return undelete_app


def _gc() -> Application:
    from bundlectl.cli.commands.tombstones import gc_app

    return gc_app


def _bind() -> Application:
    from bundlectl.cli.commands.bind import bind_app

    return bind_app


def _unbind() -> Application:
    from bundlectl.cli.commands.bind import unbind_app

    return unbind_app


def _import() -> Application:
    from bundlectl.cli.commands.import_job import import_app

    return import_app


def _doctor() -> Application:
    from bundlectl.cli.commands.doctor import doctor_app

    return doctor_app


def _history() -> Application:
    from bundlectl.cli.commands.history import history_app

    return history_app


def _summary() -> Application:
    from bundlectl.cli.commands.history import summary_app

    return summary_app


def _state() -> Application:
    from bundlectl.cli.commands.state import state_app

    return state_app


def _run() -> Application:
    from bundlectl.cli.commands.run import run_app

    return run_app


def _runs() -> Application:
    from bundlectl.cli.commands.runs import runs_app

    return runs_app


def _serve() -> Application:
    from bundlectl.cli.commands.serve import serve_app

    return serve_app


COMMANDS: dict[str, Verb] = {
    "init": Verb(_init, "Authoring", "Create a bundle from a template"),
    "validate": Verb(_validate, "Authoring", "Check a bundle, offline"),
    "schema": Verb(_schema, "Authoring", "Print the JSON Schema of a document"),
    "explain": Verb(_explain, "Authoring", "Show where a value comes from, or what a code means"),
    "plan": Verb(_plan, "Plan and deploy", "Show what a deploy would do"),
    "diff": Verb(_diff, "Plan and deploy", "Compare commits, targets or deployments"),
    "drift": Verb(_drift, "Plan and deploy", "Show, accept or snooze what was changed on the backend"),
    "deploy": Verb(_deploy, "Plan and deploy", "Plan, ask, apply, verify"),
    "destroy": Verb(_destroy, "Plan and deploy", "Remove every job of a target"),
    "undelete": Verb(_undelete, "Plan and deploy", "Bring deleted jobs back, with their ids and runs"),
    "bind": Verb(_bind, "Plan and deploy", "Make an existing job belong to a key of the bundle"),
    "unbind": Verb(_unbind, "Plan and deploy", "Forget a job and leave it where it is"),
    "import": Verb(_import, "Plan and deploy", "Write YAML for jobs that are on the backend"),
    "history": Verb(_history, "Plan and deploy", "List deployments with their commits"),
    "summary": Verb(_summary, "Plan and deploy", "Show what is deployed, and where it is kept"),
    "run": Verb(_run, "Running", "Run a deployed job and follow it"),
    "runs": Verb(_runs, "Running", "List runs; get, logs, manifest, cancel"),
    "serve": Verb(_serve, "Running", "Run the engine with its REST API until it is stopped"),
    "doctor": Verb(_doctor, "State and operation", "Check what bundlectl stands on, and say how to mend it"),
    "gc": Verb(_gc, "State and operation", "Let deleted jobs go whose time is over"),
    "state": Verb(_state, "State and operation", "List, show and look after the recorded state"),
}

TOPICS = ("exit-codes",)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Prints; never raises for an expected error."""
    words = list(arguments)
    if words[:1] == ["bundle"]:
        # Scripts written for the Databricks CLI say `bundle validate`.
        words = words[1:]
    return guarded(words, lambda: _dispatch(words))


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h"):
        return _say(overview())
    if words[0] in ("--version", "-V"):
        return _say(f"bundlectl {__version__}\n")
    if words[0] == "help":
        if words[1:] == ["exit-codes"]:
            return _say(EXIT_CODES)
        return _dispatch([*words[1:], "--help"] if words[1:] else [])
    verb = COMMANDS.get(words[0])
    if verb is None:
        raise _unknown(words[0])
    code = verb.load()(args=words[1:], prog_name=f"bundlectl {words[0]}", standalone_mode=False)
    return code if isinstance(code, int) else 0


def _unknown(word: str) -> UsageError:
    if word.startswith("-"):
        return UsageError(
            f'no option "{word}" before a command', hint="options follow the command: bundlectl plan -t dev"
        )
    near = nearest(word, COMMANDS)
    return UsageError(
        f'no command "{word}"' + (f'; did you mean "{near}"?' if near else ""), hint="bundlectl --help lists them"
    )


def _say(text: str) -> int:
    sys.stdout.write(text)
    return 0


def overview() -> str:
    """What `bundlectl --help` prints."""
    lines = [
        "Usage: bundlectl COMMAND [OPTIONS]",
        "",
        "Plans, deploys and runs jobs that are kept as YAML bundles in git.",
    ]
    width = max(map(len, COMMANDS)) + 2
    group = None
    for name, verb in COMMANDS.items():
        if verb.group != group:
            group = verb.group
            lines += ["", f"{group}:"]
        lines.append(f"  {name:<{width}}{verb.help}")
    lines += [
        "",
        "bundlectl COMMAND --help shows the options of a command.",
        "bundlectl help exit-codes lists what the exit codes mean.",
        "bundlectl --version prints the version.",
        "",
    ]
    return "\n".join(lines)


EXIT_CODES = """\
  0  done, or no changes
  1  error: bad bundle, usage, backend, not found
  2  changes or drift, only with --detailed-exitcode
  3  a run failed, or a deploy was applied in part
  4  authentication or permission
  5  lock held, or stale plan
  6  refused by a guard or a policy; approval missing
 70  a bug in bundlectl
130  interrupted (SIGINT)
141  stdout was closed
143  terminated (SIGTERM)
"""
