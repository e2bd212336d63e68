"""Who may let code of a repository run: flag before environment before the user's file; untrusted before all."""

from pathlib import Path

import pytest

from bundlectl.cli.permission import (
    RESTRICTED,
    find_allowance,
    python_limits,
    refuse_file_of_tree,
    without_credentials,
)
from bundlectl.model.allowance import NOTHING, Allowance
from bundlectl.model.errors import UsageError

PYTHON, BUILD = Allowance(python=True), Allowance(build=True)


def _found(tmp_path: Path, given: list[str] | None, environment: dict[str, str], text: str | None) -> Allowance:
    path = tmp_path / "config.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return find_allowance(given, False, environment, path)


@pytest.mark.parametrize(
    ("given", "environment", "text", "expected"),
    [
        (None, {}, None, NOTHING),
        (["python"], {"BUNDLECTL_ALLOW": "build"}, 'allow = ["scripts"]', PYTHON),
        (None, {"BUNDLECTL_ALLOW": "build"}, 'allow = ["scripts"]', BUILD),
        (None, {"BUNDLECTL_ALLOW": ""}, 'allow = ["scripts"]', NOTHING),
        (None, {}, 'allow = ["python", "build"]', Allowance(python=True, build=True)),
        (None, {}, 'allow = "python,scripts"', Allowance(python=True, scripts=True)),
        (None, {}, "[other]\nallow = 1\n", NOTHING),
        (["python"], {RESTRICTED: "1"}, None, Allowance(restricted=True)),
        (["python"], {RESTRICTED: "false"}, None, PYTHON),
        (None, {"BUNDLECTL_UNTRUSTED": "1", "BUNDLECTL_ALLOW": "python"}, None, Allowance(untrusted=True)),
    ],
)
def test_the_first_that_says_something_counts(
    tmp_path: Path, given: list[str] | None, environment: dict[str, str], text: str | None, expected: Allowance
) -> None:
    assert _found(tmp_path, given, environment, text) == expected


@pytest.mark.parametrize(
    ("given", "environment", "text", "code", "words"),
    [
        (["pyhton"], {}, None, "BND001", ["--allow", '"pyhton"', '"python"']),
        (None, {"BUNDLECTL_ALLOW": "all"}, None, "BND001", ["BUNDLECTL_ALLOW", '"all"']),
        (None, {}, "allow = 3", "BND001", ["config.toml", "neither text nor a list"]),
        (None, {}, "allow = [1]", "BND001", ["config.toml", "neither text nor a list"]),
        (None, {}, "allow = ", "BND623", ["config.toml", "is not TOML"]),
        (None, {}, 'allow = ["al"]', "BND001", ["config.toml", '"al"']),
    ],
)
def test_what_cannot_be_understood_allows_nothing(
    tmp_path: Path, given: list[str] | None, environment: dict[str, str], text: str | None, code: str, words: list[str]
) -> None:
    with pytest.raises(UsageError) as refused:
        _found(tmp_path, given, environment, text)
    assert refused.value.code == code
    assert [word for word in words if word not in refused.value.summary] == []


def test_allowing_an_untrusted_source_is_a_contradiction(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        find_allowance(["python"], True, {}, tmp_path / "none")
    assert refused.value.code == "BND620"
    assert find_allowance(None, True, {"BUNDLECTL_ALLOW": "python"}, tmp_path / "none") == Allowance(untrusted=True)


def test_time_and_variables_of_the_python_process() -> None:
    assert python_limits(None, {"A": "1"}) == (600.0, {})
    assert python_limits(["A"], {"A": "1", "B": "2", "BUNDLECTL_PYTHON_TIMEOUT": "2.5"}) == (2.5, {"A": "1"})
    with pytest.raises(UsageError, match="not set"):
        python_limits(["C"], {})


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e30", "5m"])
def test_a_time_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="no number of seconds"):
        python_limits(None, {"BUNDLECTL_PYTHON_TIMEOUT": text})


@pytest.mark.parametrize(
    "name",
    [
        "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET", "BUNDLECTL_GIT_TOKEN", "GH_TOKEN", "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_ACCOUNT_KEY", "DB_PASSWORD",
        "BUNDLE_VAR_api_token", "ACTIONS_ID_TOKEN_REQUEST_URL", "SSH_AUTH_SOCK", "GIT_ASKPASS", "npm_password",
    ],
)  # fmt: skip
def test_what_is_named_like_a_credential_is_left_out(name: str) -> None:
    assert without_credentials({name: "canary", "PATH": "/bin"}) == ({"PATH": "/bin"}, [name])
    assert without_credentials({name: ""}) == ({name: ""}, [])


@pytest.mark.parametrize("name", ["HOME", "BUNDLE_VAR_region", "DATABRICKS_HOST", "TOKENIZERS_PARALLELISM", "KEYBOARD"])
def test_what_is_no_credential_stays(name: str) -> None:
    assert without_credentials({name: "x"}) == ({name: "x"}, [])


def test_values_for_a_hostile_source_come_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    (tmp_path / "tree" / "etl").mkdir()
    start = tmp_path / "tree" / "etl"
    refuse_file_of_tree(Path("../../mine.yml"), start, "--var-file")
    for path in (Path("values.yml"), Path("../values.yml"), tmp_path / "tree" / "values.yml"):
        with pytest.raises(UsageError, match=r"--var-file .* is a file of the source") as refused:
            refuse_file_of_tree(path, start, "--var-file")
        assert refused.value.code == "BND620"
