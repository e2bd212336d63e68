"""The part of a backend that changes nothing: what a command gets that must not be able to write.

Made of any backend by operations that only look (drift). There is no way from here to a method that writes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bundlectl.backends.base import Backend
from bundlectl.model.backend import BackendIdentity, Capabilities, Observed


class Reading(NamedTuple):
    """The reading methods of a backend; see base.Backend for what each gives and raises."""

    capabilities: Capabilities
    identity: Callable[[], BackendIdentity]
    observe: Callable[[str | None, str], Observed]
    read: Callable[[Sequence[str]], Mapping[str, Mapping[str, Any] | None]]


def reading(backend: Backend) -> Reading:
    """What may be asked of a backend without changing anything there."""
    return Reading(backend.capabilities, backend.identity, backend.observe, backend.read)
