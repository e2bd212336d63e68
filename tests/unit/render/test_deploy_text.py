"""Results of init, validate, deploy, history and summary, against the layout of the specification."""

from typing import NamedTuple

from bundlectl.render.deploy_text import (
    DeploymentLine,
    JobLine,
    deploy_text,
    history_text,
    init_text,
    summary_of_target,
)


class Outcome(NamedTuple):
    address: str
    action: str
    outcome: str = "done"
    id: str | None = None
    error: str | None = None
    elapsed_ms: int = 0
    not_converged: tuple[str, ...] = ()
    until: str | None = None
    restored: bool = False


LINE = DeploymentLine(42, "sales", "prod", "c1cfe67" + "0" * 33, 12, verified=2, read_back=2)


def test_a_deploy() -> None:
    outcomes = [
        Outcome("resources.jobs.etl", "update", elapsed_ms=400),
        Outcome("resources.jobs.hourly", "create", id="9001", elapsed_ms=600),
        Outcome("resources.jobs.old", "delete", elapsed_ms=300),
    ]
    assert deploy_text(outcomes, LINE) == (
        "jobs.etl     updated  0.4s\n"
        "jobs.hourly  created  0.6s   id 9001\n"
        "jobs.old     deleted  0.3s\n"
        "verified 2 of 2 read back\n"
        "Deployment 42: sales -> prod @ c1cfe67, 1 added, 1 changed, 1 deleted, 12 unchanged\n"
    )


def test_a_deploy_in_part_says_what_is_open_and_how_to_go_on() -> None:
    outcomes = [
        Outcome("resources.jobs.a", "create", id="1", not_converged=("name",)),
        Outcome("resources.jobs.b", "update", "failed", error="no right\x1b"),
        Outcome("resources.jobs.c", "update", "not_started", error="stopped"),
    ]
    text = deploy_text(outcomes, LINE)
    assert "jobs.b  update failed" in text
    assert "no right\\x1b\n" in text
    assert "jobs.a did not converge: name\n" in text
    assert 'Deployed 1 of 3 changes to target "prod".\n  not done  jobs.b, jobs.c\n' in text
    assert "`bundlectl deploy -t prod` goes on with the rest." in text


def test_history() -> None:
    manifests = [
        {
            "serial": 42,
            "ended": "2026-11-23T10:02:07Z",
            "source": {"commit": "c1cfe67" + "0" * 33, "dirty": True},
            "actor": {"name": "x", "ci": {"platform": "github", "run_url": "https://h/runs/8130"}},
            "kind": "deploy",
            "outcome": "partial",
            "jobs": [{"action": "create"}, {"action": "update"}, {"action": "delete"}],
            "approval": {"overrides": [{"guard": "rewind", "reason": None}, {"guard": "probable_rename"}]},
        },
        {
            "serial": 41,
            "ended": "2026-11-20T14:03:00Z",
            "source": {"commit": "9af01b2" + "0" * 33},
            "actor": {"name": "ann@acme.example"},
            "kind": "rollback",
            "rollback": {"of": 40, "to": 39},
            "hold": {"by": "ann"},
            "approval": {"overrides": [{"guard": "rollback", "reason": "bad totals"}]},
            "jobs": [
                {"action": "update", "outcome": "done"},
                {"action": "update"},
                {"action": "create", "outcome": "failed"},
            ],
        },
    ]
    assert history_text(manifests) == (
        " #  when               commit   who               what            changes\n"
        "42  2026-11-23 10:02Z  c1cfe67  ci/github 8130    deploy          +1 ~1 -1  dirty  partial"
        "  overrode rewind, probable rename\n"
        "41  2026-11-20 14:03Z  9af01b2  ann@acme.example  rollback to 39  ~2  hold\n"
    )
    assert history_text([]) == "No deployments yet. Make one: bundlectl deploy\n"


def test_init() -> None:
    assert init_text("sales", ["x"] * 7) == "Created sales/ (7 files). Next: cd sales && bundlectl validate\n"


def test_summary() -> None:
    text = summary_of_target(
        bundle="sales",
        target="prod",
        backend="local",
        serial=42,
        commit="c1cfe67",
        at="2026-11-23T10:02:07Z",
        by="ann",
        dirty=False,
        jobs=[JobLine("etl", "8123", 'schedule "0 0 * * * ?" UTC')],
        places={"state": "refs/bundlectl/state/sales/prod"},
    )
    assert text == (
        "sales -> prod   local\n"
        "recorded  deployment 42 @ c1cfe67  2026-11-23 10:02Z  ann\n"
        "\n"
        "job       id    schedule                    last run\n"
        'jobs.etl  8123  schedule "0 0 * * * ?" UTC  never\n'
        "\n"
        "state  refs/bundlectl/state/sales/prod\n"
    )
