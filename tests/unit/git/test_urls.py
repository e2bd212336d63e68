"""Addresses of remotes: what may reach git, from whom."""

from pathlib import Path

import pytest

from bundlectl.git.urls import admit, is_remote_name, origin_of
from bundlectl.model.errors import RepositoryError

ADMITTED = [
    ("https://git.example.com/a/b.git", "https"),
    ("https://git.example.com:8443/a", "https"),
    ("https://ann@git.example.com/a", "https"),
    ("ssh://git@git.example.com/a.git", "ssh"),
    ("ssh://git@git.example.com:2222/a.git", "ssh"),
    ("git@git.example.com:a/b.git", "ssh"),
    ("git.example.com:a/b.git", "ssh"),
    ("http://127.0.0.1:8080/a", "http"),
    ("http://localhost/a", "http"),
    ("http://[::1]:80/a", "http"),
]

REFUSED = [
    "",
    "-x",
    "--upload-pack=touch x",
    "--upload-pack=x",
    "ext::sh -c touch% x",
    "ext::x",
    "fd::7",
    "transport::address",
    "file:///srv/state.git",
    "file://host/share",
    "/srv/state.git",
    "../state.git",
    "C:/state.git",
    "git://git.example.com/a",
    "ftp://git.example.com/a",
    "http://git.example.com/a",
    "http://127.0.0.1.evil.example/a",
    "ssh://-oProxyCommand=x/a",
    "ssh://%2DoProxyCommand=x/a",
    "ssh://-x@git.example.com/a",
    "ssh://git@git.example.com/-a",
    "git@-x:a",
    "-x@git.example.com:a",
    "git@git.example.com:-a",
    "https://",
    "https:///a",
    "https://-x/a",
    "https://ann:secret@git.example.com/a",
    "https://git.example.com/a?b=c",
    "https://git.example.com/a#b",
    "https://git.example.com:0/a",
    "https://git.example.com:x/a",
    "https://git.example.com/a b",
    "https://git.example.com/a\nb",
    "https://git.example.com/a\x00",
    "https://git.exa mple.com/",
    "https://[::1/a",
    "https://x" + "y" * 3000,
]


@pytest.mark.parametrize(("text", "protocol"), ADMITTED)
def test_addresses_that_a_bundle_may_name(text: str, protocol: str) -> None:
    found = admit(text, by_invoker=False)
    assert (found.url, found.protocol, found.path) == (text, protocol, None)
    assert "ann@" not in found.shown


@pytest.mark.parametrize("text", REFUSED)
def test_addresses_that_a_bundle_may_not_name(text: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        admit(text, by_invoker=False)
    assert (caught.value.code, caught.value.exit_code) == ("BND614", 1)
    assert "is not allowed: " in caught.value.summary and caught.value.hint
    assert "secret" not in caught.value.summary


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("/srv/state.git", "/srv/state.git"),
        ("../state.git", "/srv/state.git"),
        ("file:///srv/state.git", "file:///srv/state.git"),
        ("file://localhost/srv/state.git", "file://localhost/srv/state.git"),
    ],
)
def test_paths_are_the_invokers(text: str, url: str) -> None:
    found = admit(text, by_invoker=True, base=Path("/srv/clone"))
    assert (found.url, found.protocol) == (url, "file")
    assert found.path is not None and found.path.name == "state.git"


@pytest.mark.parametrize("text", ["ext::sh -c x", "-x", "git://h/a", "http://example.com/a", "file://host/a"])
def test_the_invoker_may_not_name_everything(text: str) -> None:
    with pytest.raises(RepositoryError):
        admit(text, by_invoker=True, base=Path("/work"))


def test_a_password_of_the_invoker_is_never_shown() -> None:
    found = admit("https://ann:secret@git.example.com/a", by_invoker=True)
    assert found.shown == "https://git.example.com/a"
    assert origin_of(found) == "https://git.example.com/"


def test_names_of_remotes() -> None:
    assert all(map(is_remote_name, ["origin", "up-stream", "a/b", "a.b", "_x"]))
    assert not any(map(is_remote_name, ["", "-x", "a..b", "a b", "x.lock", "a/", "ü", "a:b", "x\n"]))
