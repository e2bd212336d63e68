"""Ways to a bearer token beside a fixed one: a service principal's secret, an identity token of a CI system, Azure CLI.

Called by remote for auth. Each way says whether the invoker offers it, and gives a source that asks again shortly
before the token runs out. Tokens and secrets are in no message.
"""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from bundlectl.backends.jobs_api.auth import M2M, Method
from bundlectl.backends.jobs_api.profiles import Settings
from bundlectl.backends.jobs_api.transport import Answer, NoAnswer, NotSent, Transport
from bundlectl.base.clock import Clock
from bundlectl.base.process import ProcessTimeout, run
from bundlectl.model.errors import BackendError, NotAuthenticated

_EARLY_S: Final = 120.0  # before its end a token is not used any more
_SHORTEST_S: Final = 60.0
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_AZURE_RESOURCE: Final = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"  # of every Azure Databricks workspace
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_DEVOPS: Final = (
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
    "SYSTEM_TEAMPROJECTID",
    "SYSTEM_PLANID",
    "SYSTEM_JOBID",
    "SYSTEM_HOSTTYPE",
)

# A transport to an origin, with the value of its Authorization header; "" for none.
Connect = Callable[[str, str], Transport]


class _Token(NamedTuple):
    value: str
    seconds: float  # that it lasts


class Renewed:
    """A token that is asked for when it is needed, and again when it is about to run out. Threads share it."""

    def __init__(self, fetch: Callable[[], _Token], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._value = ""
        self._until = 0.0

    def __call__(self) -> str:
        with self._lock:
            now = self._clock.boot_s()
            if not self._value or now >= self._until:
                token = self._fetch()
                self._value = token.value
                self._until = now + max(_SHORTEST_S, token.seconds - _EARLY_S)
            return self._value


def methods(environment: Mapping[str, str], connect: Connect, clock: Clock) -> dict[str, Method]:
    """Every way, by the name that `auth_type` has for it."""
    ways = _Ways(environment, connect, clock)
    has = environment.get

    def offered(there: Callable[[Settings], object]) -> Callable[[Settings], bool]:
        """An identity of a CI system is used without being asked for when there is a principal that it may be."""
        return lambda settings: (
            settings.get("client_id") is not None
            and settings.get("client_secret") is None
            and settings.get("token") is None
            and bool(there(settings))
        )

    return {
        M2M: Method(lambda settings: settings.get("client_secret") is not None, ways.secret),
        "env-oidc": Method(
            offered(lambda settings: has(_variable(settings))), ways.identity("env-oidc", ways.variable)
        ),
        "file-oidc": Method(
            offered(lambda settings: settings.get("oidc_token_filepath")), ways.identity("file-oidc", ways.file)
        ),
        "github-oidc": Method(
            offered(lambda settings: has("ACTIONS_ID_TOKEN_REQUEST_URL")), ways.identity("github-oidc", ways.github)
        ),
        "azure-devops-oidc": Method(
            offered(lambda settings: has("SYSTEM_ACCESSTOKEN")), ways.identity("azure-devops-oidc", ways.devops)
        ),
        "azure-cli": Method(lambda settings: False, ways.azure_cli),
    }


class _Ways:
    """Each way: opened for an origin, it gives a token whenever it is called."""

    def __init__(self, environment: Mapping[str, str], connect: Connect, clock: Clock) -> None:
        self._environment = environment
        self._connect = connect
        self._clock = clock

    def secret(self, origin: str, settings: Settings) -> Renewed:
        id, secret = (_needed(settings, name, M2M) for name in ("client_id", "client_secret"))
        header = "Basic " + base64.b64encode(f"{id}:{secret}".encode()).decode("ascii")
        fields = {"grant_type": "client_credentials"}
        return Renewed(lambda: _ask_workspace(self._connect, origin, header, fields, M2M), self._clock)

    def identity(self, name: str, get: Callable[[str, Settings], str]) -> Callable[[str, Settings], Callable[[], str]]:
        """A token of the workspace for the identity that `get` gives."""

        def opened(origin: str, settings: Settings) -> Renewed:
            client_id = settings.value("client_id")

            def fetch() -> _Token:
                fields = {"grant_type": _EXCHANGE, "subject_token_type": _JWT, "subject_token": get(origin, settings)}
                if client_id is not None:
                    fields["client_id"] = client_id
                return _ask_workspace(self._connect, origin, "", fields, name)

            return Renewed(fetch, self._clock)

        return opened

    def variable(self, origin: str, settings: Settings) -> str:
        return _present(self._environment, _variable(settings), "env-oidc")

    def file(self, origin: str, settings: Settings) -> str:
        path = Path(_needed(settings, "oidc_token_filepath", "file-oidc"))
        try:
            return path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise NotAuthenticated(f'cannot read the identity token "{path}"', detail="auth_type file-oidc") from None

    def github(self, origin: str, settings: Settings) -> str:
        return _github(self._environment, self._connect, settings.value("audience") or f"{origin}/oidc/v1/token")

    def devops(self, origin: str, settings: Settings) -> str:
        return _devops(self._environment, self._connect)

    def azure_cli(self, origin: str, settings: Settings) -> Renewed:
        return Renewed(lambda: _azure_cli(self._environment, self._clock), self._clock)


def _variable(settings: Settings) -> str:
    """The variable that holds an identity token."""
    return settings.value("oidc_token_env") or "DATABRICKS_OIDC_TOKEN"


def _ask_workspace(connect: Connect, origin: str, header: str, fields: Mapping[str, str], way: str) -> _Token:
    """A token of the workspace for what the invoker has."""
    body = urlencode({**fields, "scope": "all-apis"}).encode("ascii")
    document = _exchange(connect(origin, header), "POST", "/oidc/v1/token", {}, body, _FORM, way)
    value, seconds = document.get("access_token"), document.get("expires_in")
    if not isinstance(value, str) or not value:
        raise BackendError("answer has no access_token", code="BND707", detail=f"{origin} was asked for a token")
    return _Token(value, float(seconds) if isinstance(seconds, int | float) else 3600.0)


def _exchange(
    transport: Transport,
    method: str,
    path: str,
    query: Mapping[str, str],
    body: bytes | None,
    headers: Mapping[str, str],
    way: str,
) -> Mapping[str, Any]:
    try:
        answer: Answer = transport.request(method, path, query, body, headers)
    except (NotSent, NoAnswer) as error:
        raise BackendError(
            f"{way}: {error}", code=error.code, detail=f"{transport.place} was asked for a token"
        ) from error
    if answer.status == 200 and isinstance(answer.document, dict):
        return answer.document
    # Only the code of the error: its description may quote what was sent.
    said = answer.document.get("error") if isinstance(answer.document, dict) else None
    detail = f"{transport.place} answered {answer.status}" + (f": {said}" if isinstance(said, str) else "")
    raise NotAuthenticated(
        f"{way}: no token was given",
        detail=detail,
        hint="check the client id, and the policy that trusts this identity",
    )


def _github(environment: Mapping[str, str], connect: Connect, audience: str) -> str:
    """The identity token of a GitHub Actions job that has `permissions: id-token: write`."""
    way = "github-oidc"
    url = urlsplit(_present(environment, "ACTIONS_ID_TOKEN_REQUEST_URL", way))
    header = "Bearer " + _present(environment, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", way)
    query = dict(pair.partition("=")[::2] for pair in url.query.split("&") if pair)
    transport = connect(f"{url.scheme}://{url.netloc}", header)
    return _value(_exchange(transport, "GET", url.path, {**query, "audience": audience}, None, {}, way), "value", way)


def _devops(environment: Mapping[str, str], connect: Connect) -> str:
    """The identity token of an Azure Pipelines job whose step maps System.AccessToken into its environment."""
    way = "azure-devops-oidc"
    token, place, project, plan, job, hub = (_present(environment, name, way) for name in _DEVOPS)
    url = urlsplit(place)
    path = f"{url.path.rstrip('/')}/{project}/_apis/distributedtask/hubs/{hub}/plans/{plan}/jobs/{job}/oidctoken"
    transport = connect(f"{url.scheme}://{url.netloc}", f"Bearer {token}")
    query = {"api-version": "7.2-preview.1"}
    headers = {"Content-Type": "application/json"}
    return _value(_exchange(transport, "POST", path, query, b"", headers, way), "oidcToken", way)


def _value(document: Mapping[str, Any], name: str, way: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise BackendError(f"answer has no {name}", code="BND707", detail=f"{way} was asked for an identity token")
    return value


def _azure_cli(environment: Mapping[str, str], clock: Clock) -> _Token:
    command = ["az", "account", "get-access-token", "--resource", _AZURE_RESOURCE, "--output", "json"]
    hint = "az login, with a tenant that has access to the workspace"
    try:
        done = run(command, environment=environment)
        document = json.loads(done.stdout)
        value, ends = document["accessToken"], document.get("expires_on")
    except FileNotFoundError:
        raise NotAuthenticated(
            "azure-cli: az is not installed", hint="install it, or choose another auth_type"
        ) from None
    except (ProcessTimeout, ValueError, KeyError, TypeError):
        # Its own words may quote a token.
        detail = "az account get-access-token gave none"
        raise NotAuthenticated("azure-cli: no token was given", detail=detail, hint=hint) from None
    return _Token(str(value), float(ends) - clock.now_ms() / 1000 if isinstance(ends, int | float) else 600.0)


def _needed(settings: Settings, name: str, way: str) -> str:
    value = settings.value(name)
    if value is None:
        raise NotAuthenticated(
            f"{way}: {name} is missing", detail=f"set DATABRICKS_{name.upper()}, or {name} in a profile"
        )
    return value


def _present(environment: Mapping[str, str], name: str, way: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise NotAuthenticated(
            f"{way}: {name} is not set", detail="the CI system gives it to jobs that may ask for tokens"
        )
    return value
