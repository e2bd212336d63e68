"""Credentials: where they come from, which host they may go to, what is said when they are missing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from bundlectl.backends.jobs_api.auth import Access, find_access
from bundlectl.backends.jobs_api.hosts import origin_of
from bundlectl.backends.jobs_api.remote import network_of
from bundlectl.backends.jobs_api.tokens import methods
from bundlectl.backends.jobs_api.transport import Answer, NotSent, Transport
from bundlectl.base.clock import FrozenClock
from bundlectl.model.errors import BackendError, BundlectlError, InputError, NotAuthenticated, Refused

HOST = "https://acme.example"
CANARY = "dapi-canary-3f9c1b7e"


class Peer:
    """Answers by path, and keeps what it was asked."""

    def __init__(self, answers: Mapping[str, Answer | Exception]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, str, str, dict[str, str], Any]] = []

    def connect(self, origin: str, header: str) -> Transport:
        peer = self

        class There:
            place = origin

            def request(
                self, method: str, path: str, query: Mapping[str, str], document: Any, headers: Mapping[str, str]
            ) -> Answer:
                peer.asked.append((f"{method} {origin}{path}", header, "", dict(query), document))
                answer = peer._answers[path]
                if isinstance(answer, Exception):
                    raise answer
                return answer

        return There()


_TOKEN = Answer(200, {"access_token": CANARY, "expires_in": 3600})


def access(
    environment: dict[str, str], wanted: str | None = HOST, peer: Peer | None = None, clock: FrozenClock | None = None
) -> Access:
    peer = peer or Peer({"/oidc/v1/token": _TOKEN})
    ways = methods(environment, peer.connect, clock or FrozenClock())
    return find_access(environment, wanted, where="workspace.host of target dev", methods=ways)


def _config(folder: Path, text: str) -> dict[str, str]:
    (folder / ".databrickscfg").write_text(text)
    return {"HOME": str(folder)}


# Where from


def test_the_environment_comes_first(tmp_path: Path) -> None:
    home = _config(tmp_path, f"[DEFAULT]\nhost = {HOST}\ntoken = other\n")
    found = access({**home, "DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": CANARY})
    assert (found.origin, found.source, found.authorize()) == (HOST, "DATABRICKS_TOKEN", f"Bearer {CANARY}")


@pytest.mark.parametrize(
    ("text", "more", "source"),
    [
        (f"[DEFAULT]\nhost = {HOST}\ntoken = {CANARY}\n", {}, '"token" of profile "DEFAULT"'),
        (f"[a]\nhost = {HOST}/\ntoken = {CANARY}\n", {"DATABRICKS_CONFIG_PROFILE": "a"}, '"token" of profile "a"'),
        (
            f"[__settings__]\ndefault_profile = b\n[b]\nhost = acme.example\ntoken = {CANARY}\n[DEFAULT]\nhost=x\n",
            {},
            '"token" of profile "b"',
        ),
    ],
)
def test_profiles(tmp_path: Path, text: str, more: dict[str, str], source: str) -> None:
    found = access({**_config(tmp_path, text), **more})
    assert (found.origin, found.source, found.authorize()) == (HOST, source, f"Bearer {CANARY}")
    assert access({**_config(tmp_path, text), **more}, None).origin == HOST


def test_the_file_is_not_read_when_the_environment_says_all(tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text("not [ a file")
    environment = {"HOME": str(tmp_path), "DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": CANARY}
    assert access(environment).source == "DATABRICKS_TOKEN"
    with pytest.raises(InputError, match="line 1 is no configuration file") as raised:
        access({**environment, "DATABRICKS_CONFIG_PROFILE": "a"})
    assert "not [" not in str(raised.value)


def test_a_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "other").write_text(f"[DEFAULT]\nhost = {HOST}\ntoken = {CANARY}\n")
    for path in (str(tmp_path / "other"), "~/other"):
        assert access({"HOME": str(tmp_path), "DATABRICKS_CONFIG_FILE": path}).origin == HOST


# What is refused


@pytest.mark.parametrize(
    ("environment", "error", "text"),
    [
        ({}, NotAuthenticated, f"no credentials for {HOST}"),
        ({"DATABRICKS_HOST": HOST}, NotAuthenticated, "no credentials are given"),
        ({"DATABRICKS_TOKEN": CANARY}, Refused, "which you did not name"),
        ({"DATABRICKS_HOST": "https://other.example", "DATABRICKS_TOKEN": CANARY}, Refused, "which you did not name"),
        ({"DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": f"{CANARY} "}, InputError, "token contains white space"),
        ({"DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": f"{CANARY}\nX: y"}, InputError, "token contains white space"),
        (
            {"DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": CANARY, "DATABRICKS_CLIENT_SECRET": CANARY},
            InputError,
            "two ways to authenticate at once",
        ),
        (
            {"DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": CANARY, "DATABRICKS_AUTH_TYPE": "magic"},
            NotAuthenticated,
            'auth_type "magic" is not known',
        ),
        ({"DATABRICKS_HOST": HOST, "DATABRICKS_CONFIG_PROFILE": "gone"}, NotAuthenticated, 'no profile "gone"'),
    ],
)
def test_refusals_name_the_source_and_never_the_value(
    tmp_path: Path, environment: dict[str, str], error: type[BundlectlError], text: str
) -> None:
    with pytest.raises(error, match=text) as raised:
        access({"HOME": str(tmp_path), **environment})
    assert CANARY not in f"{raised.value.summary} {raised.value.detail} {raised.value.hint} {raised.value!r}"


def test_without_any_host() -> None:
    with pytest.raises(NotAuthenticated, match="no host is given"):
        access({}, None)


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("acme.example", "https://acme.example"),
        ("https://ACME.example/", "https://acme.example"),
        ("https://acme.example:443?o=12", "https://acme.example"),
        ("http://127.0.0.1:8472", "http://127.0.0.1:8472"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_hosts(given: str, origin: str) -> None:
    assert origin_of(given, "here") == origin


@pytest.mark.parametrize(
    "given",
    ["https://a.example/path", "http://a.example", "ftp://a.example", "a b", "https://u:p@a.example", "https://",
     "https://a.example:x", "http://127.0.0.1.evil.example", "https://a.example\n"],
)  # fmt: skip
def test_hosts_that_are_refused(given: str) -> None:
    with pytest.raises(InputError) as raised:
        origin_of(given, "here")
    assert (raised.value.code, raised.value.detail) == ("BND712", "in here")


# Other ways


def test_a_service_principal_with_a_secret() -> None:
    clock, peer = FrozenClock(), Peer({"/oidc/v1/token": _TOKEN})
    environment = {"DATABRICKS_HOST": HOST, "DATABRICKS_CLIENT_ID": "id", "DATABRICKS_CLIENT_SECRET": "s3cret"}
    found = access(environment, peer=peer, clock=clock)
    assert (found.source, found.authorize(), found.authorize()) == ("oauth-m2m", f"Bearer {CANARY}", f"Bearer {CANARY}")
    ((line, header, _, _, body),) = peer.asked
    assert (line, header) == (f"POST {HOST}/oidc/v1/token", "Basic aWQ6czNjcmV0")
    assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"], "scope": ["all-apis"]}
    clock.advance(3600 - 120)
    found.authorize()
    assert len(peer.asked) == 2


@pytest.mark.parametrize(
    ("more", "way"),
    [
        ({"DATABRICKS_OIDC_TOKEN": "jwt"}, "env-oidc"),
        ({"DATABRICKS_OIDC_TOKEN_ENV": "GITLAB_JWT", "GITLAB_JWT": "jwt"}, "env-oidc"),
        ({"DATABRICKS_OIDC_TOKEN_FILEPATH": "{file}"}, "file-oidc"),
        (
            {
                "ACTIONS_ID_TOKEN_REQUEST_URL": "https://gh.example/tok?api=1",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "gh",
            },
            "github-oidc",
        ),
        (
            {
                "SYSTEM_ACCESSTOKEN": "ado",
                "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://ado.example/org/",
                "SYSTEM_TEAMPROJECTID": "p",
                "SYSTEM_PLANID": "n",
                "SYSTEM_JOBID": "j",
                "SYSTEM_HOSTTYPE": "build",
            },
            "azure-devops-oidc",
        ),
    ],
)
def test_identities_of_ci_systems(tmp_path: Path, more: dict[str, str], way: str) -> None:
    (tmp_path / "jwt").write_text("jwt\n")
    peer = Peer(
        {
            "/oidc/v1/token": _TOKEN,
            "/tok": Answer(200, {"value": "jwt"}),
            "/org/p/_apis/distributedtask/hubs/build/plans/n/jobs/j/oidctoken": Answer(200, {"oidcToken": "jwt"}),
        }
    )
    more = {name: value.replace("{file}", str(tmp_path / "jwt")) for name, value in more.items()}
    found = access({"DATABRICKS_HOST": HOST, "DATABRICKS_CLIENT_ID": "id", **more}, peer=peer)
    assert (found.source, found.authorize()) == (way, f"Bearer {CANARY}")
    assert parse_qs(peer.asked[-1][4].decode()) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "subject_token_type": ["urn:ietf:params:oauth:token-type:jwt"],
        "subject_token": ["jwt"],
        "client_id": ["id"],
        "scope": ["all-apis"],
    }
    if way == "github-oidc":
        line, header, _, query, _ = peer.asked[0]
        assert (line, header) == ("GET https://gh.example/tok", "Bearer gh")
        assert query == {"api": "1", "audience": f"{HOST}/oidc/v1/token"}


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (
            Answer(401, {"error": "invalid_client", "error_description": f"{CANARY} is wrong"}),
            NotAuthenticated,
            "no token",
        ),
        (Answer(400, f"<html>{CANARY}"), NotAuthenticated, "no token was given"),
        (Answer(200, {"token_type": CANARY}), BackendError, "no access_token"),
        (NotSent("cannot resolve acme.example"), BackendError, "cannot resolve"),
    ],
)
def test_a_token_that_is_not_given(answer: Answer | Exception, error: type[BundlectlError], text: str) -> None:
    environment = {"DATABRICKS_HOST": HOST, "DATABRICKS_CLIENT_ID": "id", "DATABRICKS_CLIENT_SECRET": CANARY}
    found = access(environment, peer=Peer({"/oidc/v1/token": answer}))
    with pytest.raises(error, match=text) as raised:
        found.authorize()
    assert CANARY not in f"{raised.value.summary} {raised.value.detail} {raised.value.hint}"


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"DATABRICKS_AUTH_TYPE": "oauth-m2m", "DATABRICKS_CLIENT_ID": "id"}, "client_secret is missing"),
        ({"DATABRICKS_AUTH_TYPE": "github-oidc"}, "ACTIONS_ID_TOKEN_REQUEST_URL is not set"),
        ({"DATABRICKS_AUTH_TYPE": "env-oidc"}, "DATABRICKS_OIDC_TOKEN is not set"),
        ({"DATABRICKS_AUTH_TYPE": "azure-cli", "PATH": ""}, "az is not installed"),
        ({"DATABRICKS_AUTH_TYPE": "pat"}, "no token for"),
    ],
)
def test_what_is_missing_is_named(environment: dict[str, str], missing: str) -> None:
    with pytest.raises(NotAuthenticated, match=missing):
        access({"DATABRICKS_HOST": HOST, **environment}).authorize()


def test_the_azure_cli(tmp_path: Path) -> None:
    script = tmp_path / "az"
    script.write_text(f"#!/bin/sh\necho '{json.dumps({'accessToken': CANARY, 'expires_on': 1_767_229_200})}'\n")
    script.chmod(0o755)
    environment = {"DATABRICKS_HOST": HOST, "DATABRICKS_AUTH_TYPE": "azure-cli", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert access(environment).authorize() == f"Bearer {CANARY}"


# The way there


def test_proxies_and_authorities_come_from_the_environment() -> None:
    environment = {"https_proxy": "http://proxy:1", "NO_PROXY": "internal.example, .corp", "SSL_CERT_FILE": "/ca.pem"}
    assert network_of(environment, HOST) == ({"https": "http://proxy:1"}, "/ca.pem")
    for direct in ("https://internal.example", "https://a.corp", "http://127.0.0.1:1"):
        assert network_of(environment, direct) == ({}, "/ca.pem")
    assert network_of({}, HOST) == ({}, True)
    assert network_of({"ALL_PROXY": "http://all:1"}, HOST).proxies == {"https": "http://all:1"}
