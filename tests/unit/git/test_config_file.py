"""The address of origin is read from a plain configuration, and left to git where it is not plain."""

import pytest

from bundlectl.git.config_file import NotPlain, origin_in, without_credentials

PLAIN = '[core]\n\tbare = false\n[remote "origin"]\n\turl = https://git.example/acme/jobs\n\tfetch = +refs/heads/*\n'


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (PLAIN, "https://git.example/acme/jobs"),
        (PLAIN.replace("url", "URL"), "https://git.example/acme/jobs"),
        ("[core]\n", None),
        ("", None),
        ('[remote "other"]\n\turl = https://x\n', None),
        ('[remote "origin"]\n\tfetch = +refs/heads/*\n[branch "url"]\n\turl = no\n', None),
    ],
)
def test_plain(text: str, url: str | None) -> None:
    assert origin_in(text) == url


@pytest.mark.parametrize(
    "text",
    [
        PLAIN + "[include]\n\tpath = x\n",
        PLAIN + '[includeIf "gitdir:x"]\n',
        PLAIN.replace("https://git.example/acme/jobs", '"quoted"'),
        PLAIN.replace("https://git.example/acme/jobs", "https://x # comment"),
        PLAIN + '[remote "origin"]\n\turl = second\n',
        '[remote "origin"] url = same-line\n',
    ],
)
def test_not_plain(text: str) -> None:
    with pytest.raises(NotPlain):
        origin_in(text)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://ann:secret@git.example/a/b.git?token=1#x", "https://git.example/a/b.git"),
        ("https://git.example:8443/a", "https://git.example:8443/a"),
        ("ssh://git@git.example/a", "ssh://git.example/a"),
        ("git@git.example:a/b.git", "git.example:a/b.git"),
        ("/srv/git/a", "/srv/git/a"),
        ("../a", "../a"),
    ],
)
def test_credentials_go(url: str, clean: str) -> None:
    assert without_credentials(url) == clean
