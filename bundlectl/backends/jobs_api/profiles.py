"""What the invoker says about hosts and credentials: environment first, then a profile of `~/.databrickscfg`.

Called by auth. Reads one file, and only when the environment has no host and credential or names a profile.
"""

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bundlectl.model.errors import InputError, NotAuthenticated

_FILE = ".databrickscfg"
# Attribute -> variable of the environment; a profile uses the names of the attributes.
ATTRIBUTES: Mapping[str, str] = {
    "host": "DATABRICKS_HOST",
    "token": "DATABRICKS_TOKEN",
    "client_id": "DATABRICKS_CLIENT_ID",
    "client_secret": "DATABRICKS_CLIENT_SECRET",
    "auth_type": "DATABRICKS_AUTH_TYPE",
    "audience": "DATABRICKS_TOKEN_AUDIENCE",
    "oidc_token_env": "DATABRICKS_OIDC_TOKEN_ENV",
    "oidc_token_filepath": "DATABRICKS_OIDC_TOKEN_FILEPATH",
}
SECRETS = ("token", "client_secret")
_CREDENTIALS = ("token", "client_id", "client_secret", "auth_type")


class Given(NamedTuple):
    """One attribute and where it stands."""

    value: str
    source: str  # `DATABRICKS_TOKEN`, `"token" of profile "prod"`


class Settings:
    """Attributes as they were found. Has no readable form: values may be secrets."""

    def __init__(self, found: Mapping[str, Given]) -> None:
        self._found = found

    def get(self, name: str) -> Given | None:
        return self._found.get(name)

    def value(self, name: str) -> str | None:
        given = self._found.get(name)
        return None if given is None else given.value

    def names(self) -> tuple[str, ...]:
        return tuple(self._found)


def find_settings(environment: Mapping[str, str]) -> Settings:
    """Every attribute that the invoker gave. Raises NotAuthenticated for a profile that is not there, InputError."""
    found = {
        name: Given(value, variable)
        for name, variable in ATTRIBUTES.items()
        if (value := environment.get(variable, "")) != ""
    }
    named = environment.get("DATABRICKS_CONFIG_PROFILE") or None
    if named is None and "host" in found and any(name in found for name in _CREDENTIALS):
        return Settings(found)
    for name, given in _profile(environment, named).items():
        found.setdefault(name, given)
    return Settings(found)


def _profile(environment: Mapping[str, str], named: str | None) -> dict[str, Given]:
    path = _path(environment)
    parser = configparser.ConfigParser(interpolation=None, default_section="\0none")
    try:
        text = path.read_text(encoding="utf-8") if path is not None else ""
        parser.read_string(text)
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'cannot read "{path}"', code="BND623", detail=type(error).__name__) from None
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        at = f", line {line}" if line is not None else ""
        # Its own words would quote the line, and with it a token.
        raise InputError(f'"{path}"{at} is no configuration file', code="BND623") from None
    wanted = named or parser.get("__settings__", "default_profile", fallback=None) or "DEFAULT"
    if not parser.has_section(wanted):
        if named is None:
            return {}
        known = ", ".join(f'"{name}"' for name in parser.sections() if name != "__settings__") or "none"
        raise NotAuthenticated(
            f'no profile "{named}" in "{path}"', detail=f"named by DATABRICKS_CONFIG_PROFILE; profiles there: {known}"
        )
    return {
        name: Given(value, f'"{name}" of profile "{wanted}"')
        for name, value in parser.items(wanted)
        if name in ATTRIBUTES and value
    }


def _path(environment: Mapping[str, str]) -> Path | None:
    home = environment.get("HOME", "")
    given = environment.get("DATABRICKS_CONFIG_FILE", "")
    if given:
        return Path(home, given[2:]) if given.startswith("~/") and home else Path(given)
    return Path(home, _FILE) if home else None
