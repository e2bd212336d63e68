"""What may be written for a commit is decided before any process starts."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlectl.git.refs import check_ref
from bundlectl.model.errors import RepositoryError

GOOD = [
    "HEAD", "@", "main", "feature/x", "v1.0", "refs/heads/main", "origin/main", "HEAD~1", "HEAD^", "main^2~3", "a1b2",
    "0123456789abcdef0123456789abcdef01234567", "v1.0-3-gabcdef0", "name%20x", "größe", "release-1", "a@b",
]  # fmt: skip
BAD = [
    "", "-x", "--output=p", "--upload-pack=touch x", "@{-1}", "@{1}", "main@{upstream}", ":/x", "HEAD:x", "a..b",
    "a...b", "^main", "main^{tree}", "main^{/x}", "main^@", "main^!", "a b", "a\tb", "a\nb", "a\0b", "a\x7fb", "a?b",
    "a*b", "a[b", "a\\b", ".a", "a/.b", "a//b", "/a", "a/", "a.lock", "a/b.lock", "a.", "x" * 2000, "a/-b", "main~1x",
    "HEAD~99999999",
]  # fmt: skip


@pytest.mark.parametrize("ref", GOOD)
def test_names_of_commits_pass(ref: str) -> None:
    check_ref(ref)


@pytest.mark.parametrize("ref", BAD)
def test_everything_else_is_refused_with_its_reason(ref: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        check_ref(ref)
    assert caught.value.code == "BND606"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("-x", 'may not start with "-"'),
        ("HEAD:x", 'not a single commit: "HEAD:x"'),
        ("a b", "spaces or control characters"),
    ],
)
def test_messages(ref: str, message: str) -> None:
    with pytest.raises(RepositoryError, match=message):
        check_ref(ref)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12))
def test_what_passes_without_steps_is_a_ref_name_to_git(text: str) -> None:
    try:
        check_ref(text)
    except RepositoryError:
        return
    if text == "@" or "~" in text or "^" in text:
        return
    done = subprocess.run(["git", "check-ref-format", "--allow-onelevel", text], cwd=Path("/"), check=False)
    assert done.returncode == 0
