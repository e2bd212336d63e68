"""Who asks: host and Authorization header from what the invoker gave, never from a bundle.

Called by registry. A bundle may name a host; credentials go there only if the invoker named the same one. Tokens are
in no message, document or readable form.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bundlectl.backends.jobs_api.hosts import origin_of
from bundlectl.backends.jobs_api.profiles import SECRETS, Given, Settings, find_settings
from bundlectl.model.errors import InputError, NotAuthenticated, Refused

PAT, M2M = "pat", "oauth-m2m"
_HINT = "set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile with DATABRICKS_CONFIG_PROFILE"


class Method(NamedTuple):
    """A way to a token beside a fixed one."""

    is_offered: Callable[[Settings], bool]  # without an auth_type that asks for it
    open: Callable[[str, Settings], Callable[[], str]]  # origin, settings -> gives a token whenever it is called


class Access(NamedTuple):
    """Where requests go and how they are signed. `source` says where the credential stands, never what it is."""

    origin: str
    source: str
    authorize: Callable[[], str]


def find_access(
    environment: Mapping[str, str], wanted: str | None, *, where: str, methods: Mapping[str, Method]
) -> Access:
    """The access that the invoker has to `wanted`, which stands in `where` of the bundle; else to the host they named.

    `methods` are ways to get a token beside a fixed one. Raises NotAuthenticated with what is missing, Refused for a
    host that only the bundle names, InputError.
    """
    settings = find_settings(environment)
    origin = _origin(settings, wanted, where)
    method = _method(settings, methods)
    if method == PAT:
        token = settings.get("token")
        if token is None:
            raise NotAuthenticated(f"no token for {origin}", detail='auth_type "pat" needs one', hint=_HINT)
        header = f"Bearer {_checked(token)}"
        return Access(origin, token.source, lambda: header)
    for name in SECRETS:
        given = settings.get(name)
        if given is not None:
            _checked(given)
    get = methods[method].open(origin, settings)
    return Access(origin, method, lambda: f"Bearer {get()}")


def _origin(settings: Settings, wanted: str | None, where: str) -> str:
    given = settings.get("host")
    own = None if given is None else origin_of(given.value, given.source)
    if wanted is None:
        if own is None:
            raise NotAuthenticated("no host is given", detail=f"not in {where}, nor in DATABRICKS_HOST", hint=_HINT)
        return own
    asked = origin_of(wanted, where)
    if own == asked:
        return asked
    if own is None and not any(settings.get(name) for name in (*SECRETS, "client_id", "auth_type")):
        raise NotAuthenticated(f"no credentials for {asked}", detail=f"named by {where}", hint=_HINT)
    said = "you named no host" if given is None else f"{given.source} is {own}"
    raise Refused(
        f"{where} asks to send your credentials to {asked}, which you did not name",
        code="BND701",
        detail=f"{said}; no request was made",
        hint=f"if it is the right one, set DATABRICKS_HOST={asked}",
    )


def _method(settings: Settings, methods: Mapping[str, Method]) -> str:
    """The one way in that the settings ask for. Two without `auth_type` would be a guess."""
    asked = settings.get("auth_type")
    if asked is not None:
        if asked.value == PAT or asked.value in methods:
            return asked.value
        known = ", ".join([PAT, *methods])
        raise NotAuthenticated(f'auth_type "{asked.value}" is not known', detail=f"{asked.source}; known: {known}")
    token = settings.get("token")
    found = [(PAT, token.source)] if token is not None else []
    found += [(name, _named(name, settings)) for name, method in methods.items() if method.is_offered(settings)]
    if len(found) > 1:
        sources = " and ".join(source for _, source in found)
        raise InputError(
            "two ways to authenticate at once",
            code="BND620",
            detail=f"{sources} are both there",
            hint="remove one of them, or set DATABRICKS_AUTH_TYPE to " + " or ".join(name for name, _ in found),
        )
    if not found:
        raise NotAuthenticated("no credentials are given", detail="no token, client secret or auth_type", hint=_HINT)
    return found[0][0]


def _named(method: str, settings: Settings) -> str:
    """Where the credential of a method stands."""
    secret = settings.get("client_secret")
    return secret.source if method == M2M and secret is not None else method


def _checked(given: Given) -> str:
    """A token fit for a header. Its value is never shown."""
    if any(sign.isspace() or not sign.isprintable() or not sign.isascii() for sign in given.value):
        raise InputError(
            "token contains white space", code="BND713", detail=given.source, hint="copy it again, without line ends"
        )
    return given.value
