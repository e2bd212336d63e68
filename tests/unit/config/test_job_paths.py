"""What is a file of the bundle, and what is an address or a package."""

import pytest

from bundlectl.config.job_paths import is_local_library, is_remote, requirement_flag


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("./dist/a.whl", True),
        ("../x.whl", True),
        ("dist/a.whl", True),
        ("dist/*.whl[extra]", True),
        ("a.whl", False),  # reads as a package of that name
        ("requests", False),
        ("pandas==2.1", False),
        ("foo[bar]>=1", False),
        ("foo >= 1, < 2", False),
        ("foo; python_version < '3.12'", False),
        ("foo @ https://host/x.whl", False),
        ("/Workspace/x.whl", False),
        ("dbfs:/x.whl", False),
        ("s3://b/x.whl", False),
        ("file:///x.whl", False),
        ("-r req.txt", False),
        ("x --index-url u", False),
    ],
)
def test_a_dependency_is_local(text: str, local: bool) -> None:
    assert is_local_library(text) is local


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("-r req.txt", ("-r", "req.txt")),
        ("-e .", ("-e", ".")),
        ("-r  ../x/req.txt", ("-r", "../x/req.txt")),
        ('-r "req.txt"', ("-r", "req.txt")),
        ("-r /Workspace/x.txt", None),
        ('-r "/Workspace/x.txt"', None),
        ("-r https://host/x.txt", None),
        ("-r ${x.y}/z", None),
        ("--index-url u", None),
    ],
)
def test_a_flag_with_a_path(text: str, flag: tuple[str, str] | None) -> None:
    assert requirement_flag(text) == flag


def test_addresses() -> None:
    assert is_remote("/Shared/x")
    assert is_remote("abfss://c@a/x")
    assert not is_remote("C:/x")
