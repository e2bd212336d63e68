"""Whether a value keeps the limits of its field: choices, ranges, lengths, forms (config language 3.5, 20). Pure.

Called by config.structure for values that have the right kind and hold no reference.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from bundlectl.base.suggest import nearest
from bundlectl.config.coercion import Said
from bundlectl.model.diagnostic import Severity
from bundlectl.schema.table import Limits

DURATION = r"[1-9][0-9]*[smhdw]"
GIT_PROVIDERS = (
    "awsCodeCommit",
    "azureDevOpsServices",
    "bitbucketCloud",
    "bitbucketServer",
    "gitHub",
    "gitHubEnterprise",
    "gitLab",
    "gitLabEnterpriseEdition",
)
# How the patterns of the models read in words.
_PATTERN_WORDS = {r"^[\w-]+$": "letters, digits, _ and -", r"^[A-Za-z0-9_.-]+$": "A-Z, a-z, 0-9, _, . and -"}


def check(value: Any, limits: Limits, field: str) -> Said | None:
    """The first limit that `value` breaks, or None. `field` is the name that the message uses."""
    if isinstance(value, str):
        return _text(value, limits, field)
    if isinstance(value, list | dict):
        return _count(len(value), limits, field)
    if isinstance(value, bool):
        return None
    return _range(value, limits, field)


def _said(limits: Limits, usual: str, summary: str, *, detail: str | None = None, hint: str | None = None) -> Said:
    severity = Severity.ERROR if limits.error else Severity.PLAN_ERROR
    return Said(limits.code or usual, severity, summary, detail, hint)


def _text(value: str, limits: Limits, field: str) -> Said | None:
    if limits.choices and value not in limits.choices:
        return _not_a_choice(value, limits.choices, limits)
    if limits.form is not None:
        said = _FORMS[limits.form](value, limits)
        if said is not None:
            return said
    if limits.max_length is not None and len(value) > limits.max_length:
        return _said(limits, "BND210", f"{field} is longer than {limits.max_length} characters")
    if limits.max_bytes is not None and len(value.encode("utf-8", "surrogatepass")) > limits.max_bytes:
        return _said(limits, "BND210", f"{field} is longer than {limits.max_bytes} bytes")
    if limits.min_length is not None and len(value) < limits.min_length:
        return _said(limits, "BND210", f"{field} is empty")
    if limits.pattern is not None and value and not re.fullmatch(limits.pattern, value):
        words = _PATTERN_WORDS.get(limits.pattern, f"what {limits.pattern} matches")
        return _said(limits, "BND210", f'{field} "{value}" may hold only {words}')
    return None


def _not_a_choice(value: str, choices: tuple[str, ...], limits: Limits) -> Said:
    near = nearest(value, choices)
    detail = f'did you mean "{near}"?' if near is not None else None
    return _said(limits, "BND206", f'"{value}" is not one of {", ".join(choices)}', detail=detail)


def _range(value: float, limits: Limits, field: str) -> Said | None:
    least, most = limits.least, limits.most
    if (least is None or value >= least) and (most is None or value <= most):
        return None
    if least is not None and most is not None:
        dots = "-" if limits.code == "BND269" else " .. "
        return _said(limits, "BND210", f"{field} must be {least:g}{dots}{most:g}")
    bound = f">= {least:g}" if least is not None else f"<= {most:g}"
    return _said(limits, "BND210", f"{field} must be {bound}")


def _count(count: int, limits: Limits, field: str) -> Said | None:
    if limits.max_length is not None and count > limits.max_length:
        return _said(limits, "BND210", f"{count} {field}, at most {limits.max_length}")
    if limits.min_length is not None and count < limits.min_length:
        return _said(limits, "BND210", f"{field} is empty")
    return None


def _duration(value: str, limits: Limits) -> Said | None:
    if re.fullmatch(DURATION, value):
        return None
    return Said("BND203", Severity.ERROR, f'"{value}" is not a duration (30m, 12h, 7d)')


def _name(value: str, limits: Limits) -> Said | None:
    if not value.strip():
        return Said("BND211", Severity.PLAN_ERROR, "name is blank")
    if value != value.rstrip():
        return Said("BND211", Severity.PLAN_ERROR, "name ends with white space")
    return None


def _git_provider(value: str, limits: Limits) -> Said | None:
    if value.casefold() in {provider.casefold() for provider in GIT_PROVIDERS}:
        return None
    return _not_a_choice(value, GIT_PROVIDERS, limits)


_FORMS: Mapping[str, Callable[[str, Limits], Said | None]] = {
    "duration": _duration,
    "name": _name,
    "git_provider": _git_provider,
}
