"""Which code of the repository may run (--allow, BUNDLECTL_ALLOW, configuration file, --untrusted), and with what.

Also what of the environment an untrusted source leads to: nothing that is a credential.

Called by wiring. Nothing of a bundle is read here: a bundle cannot give itself permission.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bundlectl.base.suggest import nearest
from bundlectl.cli.environment import flag
from bundlectl.model.allowance import KINDS, NOTHING, Allowance, parse
from bundlectl.model.errors import UsageError

RESTRICTED = "DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION"
_TIMEOUT = "BUNDLECTL_PYTHON_TIMEOUT"
_DEFAULT_TIMEOUT_S = 600
_MOST_SECONDS = 7 * 24 * 3600
# Also variables of the bundle: a hostile bundle would put the value of BUNDLE_VAR_api_token where a plan shows it.
_CREDENTIAL = re.compile(
    r"(?:^|_)(?:TOKEN|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEY|(?:ACCESS|ACCOUNT|API|PRIVATE|SAS|SIGNING)_KEY)"
    r"(?:_|$)|^(?:SSH_AUTH_SOCK|SSH_ASKPASS|GIT_ASKPASS|GIT_SSH_COMMAND|DATABRICKS_CONFIG_FILE)$",
    re.IGNORECASE,
)


def is_untrusted(given: bool, environment: Mapping[str, str]) -> bool:
    """Whether the source is to be treated as hostile."""
    return given or flag(environment, "BUNDLECTL_UNTRUSTED")


def without_credentials(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """An environment without what is named like a credential, and the names that are left out."""
    dropped = sorted(name for name, value in environment.items() if value and _CREDENTIAL.search(name))
    return {name: value for name, value in environment.items() if name not in dropped}, dropped


def refuse_file_of_tree(path: Path, start: Path, option: str) -> None:
    """Values for a hostile source come from the invoker, never from that source. Raises UsageError BND620."""
    top = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)
    if (start / path).resolve().is_relative_to(top.resolve()):
        raise UsageError(
            f'"{option} {path}" is a file of the source, and "--untrusted" takes no value from there',
            code="BND620",
            hint="keep it outside the repository",
        )


def find_allowance(
    given: Sequence[str] | None, untrusted: bool, environment: Mapping[str, str], configuration: Path
) -> Allowance:
    """The first of flag, environment and configuration file that says something; none of it for a hostile source.

    Raises UsageError for an unknown word, and for --allow together with --untrusted.
    """
    if untrusted and given:
        raise UsageError('"--allow" and "--untrusted" exclude each other', code="BND620")
    if is_untrusted(untrusted, environment):
        return Allowance(untrusted=True)
    allowed = _allowed(given, environment, configuration)
    return Allowance(restricted=True) if flag(environment, RESTRICTED) else allowed


def _allowed(given: Sequence[str] | None, environment: Mapping[str, str], configuration: Path) -> Allowance:
    if given:
        return _parse(given, "--allow")
    if "BUNDLECTL_ALLOW" in environment:
        return _parse([environment["BUNDLECTL_ALLOW"]], "BUNDLECTL_ALLOW")
    try:
        text = configuration.read_text(encoding="utf-8")
    except FileNotFoundError:
        return NOTHING
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f'cannot read "{configuration}": {error}', code="BND623") from error
    return _configured(text, configuration)


def _configured(text: str, configuration: Path) -> Allowance:
    import tomllib  # only for who has a configuration file

    try:
        value = tomllib.loads(text).get("allow", [])
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f'"{configuration}" is not TOML: {error}', code="BND623") from error
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(
            f'"allow" in "{configuration}" is neither text nor a list of text', hint='write: allow = ["python"]'
        )
    return _parse(words, f'"allow" in "{configuration}"')


def _parse(words: Sequence[str], source: str) -> Allowance:
    try:
        return parse(words)
    except ValueError as unknown:
        near = nearest(str(unknown), KINDS)
        raise UsageError(
            f'{source}: "{unknown}" is no kind of code' + (f'; did you mean "{near}"?' if near else ""),
            hint=f"one or more of {', '.join(KINDS)}, with commas between",
        ) from None


def python_limits(named: Sequence[str] | None, environment: Mapping[str, str]) -> tuple[float, dict[str, str]]:
    """How long Python of a bundle may take, in seconds, and which variables it sees beside the usual ones.

    Raises UsageError for a variable that is not set, and for a time that is none.
    """
    missing = next((name for name in named or () if name not in environment), None)
    if missing is not None:
        raise UsageError(f'"--python-env {missing}": this variable is not set')
    text = environment.get(_TIMEOUT, "") or str(_DEFAULT_TIMEOUT_S)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < _MOST_SECONDS:
        raise UsageError(f'{_TIMEOUT} is "{text[:40]}", which is no number of seconds')
    return seconds, {name: environment[name] for name in named or ()}
