"""Every row of the corpus of bad inputs: its code, its words and its place, or that it is accepted.

The rows are in bad_inputs.py. A row that is tested elsewhere is named here with that test; one that no version can have
yet is named with what it waits for. No row is passed over.
"""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from bundlectl.model.diagnostic import Severity
from tests.architecture.source import ROOT
from tests.conformance.bad_inputs import ACCEPTED, ROWS
from tests.conformance.rows import Good, Row, check_good, check_row
from tests.unit.config.bundles import found, loaded


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_bad_input_is_named_where_it_is(row: Row) -> None:
    check_row(row)


@pytest.mark.parametrize("row", ACCEPTED, ids=lambda row: row.name)
def test_an_input_that_is_right_is_taken(row: Good) -> None:
    check_good(row)


# Kinds that values have, and places at six levels that take one of them each: config language 3.4.
VALUES = {
    "text": "abc",
    "a list": "[]",
    "a map": "{}",
    "an integer": "7",
    "a number": "7.5",
    "a boolean": "true",
    "null": "null",
}
JOB, END = "bundle: {name: b}\nresources: {jobs: {j: {", "}}}\n"
TASK = "tasks: [{task_key: t, "
LEVELS = [
    ("bundle: {name: b}\nworkspace: %s\n", "a map"),
    ("bundle: {name: b}\ninclude: %s\n", "a list"),
    ("bundle: {name: b, uuid: %s}\n", "text"),
    ("bundle: {name: b}\nresources: {jobs: {j: %s}}\n", "a map"),
    (JOB + "tasks: %s" + END, "a list"),
    (JOB + "max_concurrent_runs: %s" + END, "an integer"),
    (JOB + "notification_settings: {no_alert_for_skipped_runs: %s}" + END, "a boolean"),
    (JOB + TASK + "notebook_task: %s}]" + END, "a map"),
    (JOB + TASK + "depends_on: [%s]}]" + END, "a map"),
    (JOB + TASK + "new_cluster: {num_workers: %s}}]" + END, "an integer"),
    (JOB + TASK + "new_cluster: {azure_attributes: {spot_bid_max_price: %s}}}]" + END, "a number"),
]  # fmt: skip
# What is taken for another kind.
TAKEN = {("text", "an integer"), ("text", "a number"), ("text", "a boolean"), ("a number", "an integer")}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize(("text", "wanted"), LEVELS)
def test_row_50_another_kind_is_expected(text: str, wanted: str, kind: str) -> None:
    result = loaded(text % VALUES[kind])
    at = f"databricks.yml:{text[: text.index('%s')].count(chr(10)) + 1}"
    if kind == wanted or (wanted, kind) in TAKEN:
        assert found(result, "BND203") == found(result, "BND209") == []
        return
    if kind == "null":
        assert found(result, "BND203") == []
        if wanted not in ("a list", "a map"):
            (finding,) = found(result, "BND202")
            assert finding.severity is Severity.WARNING
            assert f"expected {wanted}, found null" in finding.summary
            assert str(finding.spans[0]).startswith(at)
        return
    (finding,) = [*found(result, "BND203"), *found(result, "BND209")]
    assert finding.severity is Severity.ERROR
    column = len(text[: text.index("%s")].rpartition("\n")[2]) + 1
    assert str(finding.spans[0]) == f"{at}:{column}"
    shown = {"an integer": "an integer", "a number": "7.5"}.get(kind, kind)
    if finding.code == "BND209":
        assert finding.summary == f'"abc" is not {wanted}'
    else:
        assert finding.summary == f"expected {wanted}, found {shown}"


# Row -> the test that holds it.
_GIT, _STATE, _API = "tests/unit/git", "tests/contract", "tests/unit/backends/jobs_api"
_BOMBS, _ARGUMENTS = "tests/hostile/test_yaml_inputs.py::", "tests/acceptance/bad_input/names/expected.txt"
_LOAD = "tests/unit/operations/test_load.py::"
_PLAN_FILE = "tests/unit/state/test_plan_file.py::"
ELSEWHERE: dict[int, str] = {
    22: _BOMBS + "test_a_bomb_is_refused_in_a_child_process_before_it_grows",
    24: _BOMBS + "test_a_bomb_is_refused_in_a_child_process_before_it_grows",
    25: _BOMBS + "test_bundle_limits_count_over_all_files",
    121: "tests/unit/operations/test_artifacts.py::test_libraries_that_nothing_makes",
    122: "tests/unit/operations/test_stage.py::test_more_code_than_a_snapshot_may_hold_is_refused",
    123: "tests/acceptance/bad_input/not_a_repository/expected.txt",
    124: f"{_GIT}/test_trees.py::test_what_cannot_be_opened",
    125: "tests/unit/operations/test_load.py::test_a_repository_without_a_commit_is_validated_and_not_planned",
    126: f"{_GIT}/test_repository.py::test_unknown_refs_name_the_nearest",
    127: f"{_GIT}/test_repository.py::test_ambiguous_refs",
    128: f"{_GIT}/test_refs.py::test_everything_else_is_refused_with_its_reason",
    129: f"{_GIT}/test_refs.py::test_everything_else_is_refused_with_its_reason",
    130: f"{_GIT}/test_repository.py::test_trees_and_files_are_no_commits",
    131: f"{_GIT}/test_repository.py::test_how_commits_are_related",
    132: f"{_GIT}/test_repository.py::test_a_detached_head_has_no_ref",
    133: "tests/unit/operations/test_load.py::test_a_protected_target_takes_no_uncommitted_file",
    134: _LOAD + "test_a_tree_between_two_versions_is_refused_where_it_matters_and_named_elsewhere",
    135: f"{_GIT}/test_repository.py::test_another_users_repository",
    136: f"{_GIT}/test_remote.py::test_what_cannot_be_reached",
    137: f"{_GIT}/test_remote.py::test_refused_credentials",
    138: f"{_GIT}/test_remote.py::test_refused_credentials",
    139: f"{_GIT}/test_remote.py::test_a_name_that_is_not_taken_is_told_from_a_ref_that_is_protected",
    140: f"{_GIT}/test_remote.py::test_a_name_that_is_not_taken_is_told_from_a_ref_that_is_protected",
    141: f"{_GIT}/test_urls.py::test_addresses_that_a_bundle_may_not_name",
    142: _ARGUMENTS,
    143: _ARGUMENTS,
    144: _ARGUMENTS,
    145: _ARGUMENTS,
    146: _ARGUMENTS,
    147: "tests/unit/operations/test_load.py::test_ref_and_worktree_exclude_each_other",
    148: "tests/acceptance/bad_input/no_terminal/expected.txt",
    149: "tests/acceptance/bad_input/no_terminal/expected.txt",
    150: "tests/acceptance/bad_input/no_terminal/expected.txt",
    151: "tests/acceptance/test_interrupts.py::test_an_interrupted_run_is_cancelled_and_recorded",
    152: "tests/acceptance/bad_input/no_terminal/expected.txt",
    153: "tests/acceptance/bad_input/no_terminal/expected.txt",
    154: "tests/crash/test_full_disk.py::test_a_deploy_that_finds_no_room_is_done_by_the_next",
    155: "tests/unit/render/test_console.py::test_an_ascii_stream_shows_escapes",
    156: "tests/unit/render/test_console.py::test_colour",
    157: _PLAN_FILE + "test_a_damaged_file",
    158: _PLAN_FILE + "test_a_damaged_file",
    159: _PLAN_FILE + "test_each_part_is_named",
    160: _PLAN_FILE + "test_each_part_is_named",
    161: _PLAN_FILE + "test_each_part_is_named",
    162: _PLAN_FILE + "test_nothing_deployed_yet_is_an_assertion",
    163: _PLAN_FILE + "test_used_and_expired_plans",
    164: _PLAN_FILE + "test_a_damaged_file",
    165: _PLAN_FILE + "test_each_part_is_named",
    166: f"{_STATE}/test_state_stores.py::test_a_forged_state_is_refused_with_its_code",
    167: f"{_STATE}/test_state_stores.py::test_a_forged_state_is_refused_with_its_code",
    168: "tests/unit/operations/test_lost_state.py::test_jobs_whose_state_is_gone_are_not_made_again",
    169: "tests/unit/state/test_remotes.py::test_a_rewritten_history_is_refused_until_it_is_accepted",
    170: "tests/unit/operations/test_bind.py::test_a_job_of_somebody_else_is_refused",
    171: f"{_STATE}/state_suite.py::test_an_open_apply_stops_others",
    172: "tests/unit/operations/test_state.py::test_only_the_named_apply_is_unlocked_and_only_when_its_holder_is_gone",
    173: f"{_STATE}/test_state_stores.py::test_a_forged_state_is_refused_with_its_code",
    174: "tests/unit/planning/test_planner.py::test_an_edit_on_the_backend_is_drift_and_is_set_back",
    175: f"{_API}/test_answers.py::test_failure",
    176: f"{_API}/test_answers.py::test_failure",
    177: "tests/unit/planning/test_planner.py::test_a_job_that_is_gone_is_created_again_with_the_reason",
    178: f"{_API}/test_answers.py::test_failure",
    179: f"{_API}/test_answers.py::test_failure",
    180: f"{_API}/test_answers.py::test_failure",
    181: f"{_API}/test_answers.py::test_failure",
    182: f"{_API}/test_client.py::test_a_listing_of_the_wrong_shape_is_named",
    186: f"{_API}/test_client.py::test_a_lost_answer_to_create_is_never_sent_again",
    189: f"{_API}/test_client.py::test_a_page_that_repeats_ends_the_listing",
    191: f"{_STATE}/test_engine_api.py::test_requests_that_nobody_answers",
    192: f"{_STATE}/test_engine_api.py::test_ids_that_cannot_be",
    193: f"{_STATE}/test_engine_runs_api.py::test_cancelling",
    194: f"{_STATE}/test_engine_runs_api.py::test_tokens_start_one_run",
    197: f"{_STATE}/test_engine_api.py::test_pages_that_cannot_be",
    198: f"{_STATE}/test_engine_runs_api.py::test_wishes_that_do_not_hold",
}
# Row -> the part of bundlectl that does not exist yet.
_HTTP, _SERVER = "the client over HTTP", "serve"
WAITS: dict[int, str] = {
    183: _HTTP,
    184: _HTTP,
    185: _HTTP,
    188: _HTTP,
    190: _SERVER,
    195: _SERVER,
    196: _SERVER,
    199: _SERVER,
    200: _SERVER,
}


def _numbers(rows: Iterable[Row | Good]) -> set[int]:
    return {int(match[0]) for row in rows if (match := re.match(r"[0-9]+", row.name))}


def test_no_row_is_passed_over() -> None:
    here = _numbers(ROWS) | _numbers(ACCEPTED)
    assert sorted(set(range(1, 201)) - here - {50} - set(ELSEWHERE) - set(WAITS)) == []
    assert sorted(set(ELSEWHERE) & set(WAITS)) == []


def test_rows_have_different_names() -> None:
    for rows in (ROWS, ACCEPTED):
        names = [row.name for row in rows]
        assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("row", ELSEWHERE)
def test_a_row_that_is_tested_elsewhere_is(row: int) -> None:
    file, _, name = ELSEWHERE[row].partition("::")
    path: Path = ROOT / file
    assert path.exists(), file
    assert name or path.suffix != ".py"
    if name:
        tree = ast.parse(path.read_text("utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, name
