"""Exceptions that end a command; each class owns its exit code (D10).

    BundlectlError
    +-- InputError 1            the user's input does not hold; carries all findings
    |   +-- UsageError          command line
    |   +-- NotFound            no such job, run, deployment, file
    +-- RepositoryError 1       git: not a repository, unknown ref, no commit
    +-- StateError 1            recorded state unreadable or of a newer format
    +-- BackendError 1          the backend refused, failed or answered nonsense
    |   +-- OutcomeUnknown      sent, and no answer: must be read back, never repeated blindly
    |   +-- Conflict            the backend's state does not allow it
    +-- Unsupported 1           this backend or version cannot do it
    +-- RunFailed 3             a run ended badly
    +-- PartlyApplied 3         some changes were made, some not
    +-- NotAuthenticated 4, NotPermitted 4
    +-- LeaseHeld 5, StalePlan 5
    +-- Refused 6               a guard, a policy, a missing approval
    +-- Interrupted 130, 143    a signal

Raised anywhere below cli; caught only by cli.boundary and around a single backend call.
"""

from collections.abc import Callable, Iterable

from bundlectl.model.diagnostic import Diagnostic, Severity


class BundlectlError(Exception):
    """An expected failure: what is wrong (`summary`), why (`detail` lines), what to do (`hint`)."""

    exit_code = 1
    default_code = "BND001"

    def __init__(
        self,
        summary: str,
        *,
        code: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
        diagnostics: Iterable[Diagnostic] = (),
    ) -> None:
        super().__init__(summary)
        self.summary = summary
        self.code = code or self.default_code
        self.detail = detail
        self.hint = hint
        self.diagnostics = tuple(diagnostics)
        # Set by whoever read the files that the findings point into, so that lines can be shown.
        self.read_source: Callable[[str], bytes | None] | None = None

    def as_diagnostic(self) -> Diagnostic:
        """The error as one finding, for the renderers."""
        return Diagnostic(
            code=self.code, severity=Severity.ERROR, summary=self.summary, detail=self.detail, hint=self.hint
        )


class InputError(BundlectlError):
    """The bundle or another input does not hold; `diagnostics` has every finding."""


class UsageError(InputError):
    """The command line does not hold."""


class NotFound(InputError):
    """No such job, run, deployment or file."""

    default_code = "BND502"


class RepositoryError(BundlectlError):
    """Git cannot give what was asked for."""

    default_code = "BND602"


class StateError(BundlectlError):
    """Recorded state cannot be read."""

    default_code = "BND410"


class BackendError(BundlectlError):
    """The backend refused, failed or gave no usable answer. `status` is the HTTP status, if there was one."""

    default_code = "BND705"

    def __init__(self, summary: str, *, status: int | None = None, **rest: object) -> None:
        super().__init__(summary, **rest)  # type: ignore[arg-type]  # the keywords of the base class, passed through
        self.status = status


class OutcomeUnknown(BackendError):
    """A request was sent and no answer came: it may have taken effect."""

    default_code = "BND408"


class Conflict(BackendError):
    """The backend's present state does not allow the request."""

    default_code = "BND504"


class Unsupported(BundlectlError):
    """This backend, or this version, cannot do what was asked."""

    default_code = "BND310"


class RunFailed(BundlectlError):
    """A run ended, and not well."""

    exit_code = 3
    default_code = "BND501"


class PartlyApplied(BundlectlError):
    """Some changes of a plan are live, some are not."""

    exit_code = 3
    default_code = "BND405"


class NotAuthenticated(BundlectlError):
    """No credentials, or none that the other side accepts."""

    exit_code = 4
    default_code = "BND701"


class NotPermitted(BundlectlError):
    """The credentials do not carry the right."""

    exit_code = 4
    default_code = "BND702"


class LeaseHeld(BundlectlError):
    """Somebody else is deploying to the target."""

    exit_code = 5
    default_code = "BND401"


class StalePlan(BundlectlError):
    """A plan no longer fits the world."""

    exit_code = 5
    default_code = "BND305"


class Refused(BundlectlError):
    """A guard, a policy or a missing approval; nothing was changed."""

    exit_code = 6
    default_code = "BND621"


class Interrupted(BundlectlError):
    """A signal ended the command; `summary` says what is left open."""

    exit_code = 130
    default_code = "BND001"

    def __init__(self, summary: str, *, exit_code: int = 130, hint: str | None = None) -> None:
        super().__init__(summary, hint=hint)
        self.exit_code = exit_code
