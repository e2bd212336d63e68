"""Opens the way to another machine's Jobs API from what the invoker's environment says: access, proxies, authorities.

Called by registry, and only when the first request is made: a command that asks nothing loads and reads nothing.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from bundlectl import __version__
from bundlectl.backends.jobs_api.auth import find_access
from bundlectl.backends.jobs_api.hosts import is_loopback, origin_of
from bundlectl.backends.jobs_api.http import HttpTransport, Network
from bundlectl.backends.jobs_api.tokens import methods
from bundlectl.base.clock import Clock

_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


def open_remote(environment: Mapping[str, str], wanted: str | None, *, where: str, clock: Clock) -> HttpTransport:
    """A transport to the host that bundle (`wanted`, in `where`) and invoker agree on. Raises what find_access does."""

    def connect(origin: str, header: str) -> HttpTransport:
        return _transport(environment, origin_of(origin, "the environment"), lambda: header, clock)

    ways = methods(environment, connect, clock)
    access = find_access(environment, wanted, where=where, methods=ways)
    return _transport(environment, access.origin, access.authorize, clock)


def _transport(
    environment: Mapping[str, str], origin: str, authorize: Callable[[], str], clock: Clock
) -> HttpTransport:
    network = network_of(environment, origin)
    return HttpTransport(origin, authorize, clock, agent=f"bundlectl/{__version__}", network=network)


def network_of(environment: Mapping[str, str], origin: str) -> Network:
    """Proxies and authorities for one host, as other programs read them from the environment."""
    parts = urlsplit(origin)
    name = parts.hostname or ""
    authorities = next((environment[each] for each in _AUTHORITIES if environment.get(each)), True)
    if is_loopback(name) or _is_excepted(name, _either(environment, "no_proxy")):
        return Network({}, authorities)
    proxy = _either(environment, f"{parts.scheme}_proxy") or _either(environment, "all_proxy")
    return Network({parts.scheme: proxy} if proxy else {}, authorities)


def _either(environment: Mapping[str, str], name: str) -> str:
    """A variable that is written in lower or upper case."""
    return environment.get(name) or environment.get(name.upper()) or ""


def _is_excepted(name: str, listed: str) -> bool:
    entries = [entry.strip().lower().lstrip(".") for entry in listed.split(",")]
    return any(entry == "*" or name == entry or name.endswith(f".{entry}") for entry in entries if entry)
