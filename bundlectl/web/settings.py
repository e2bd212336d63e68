"""Where a server listens and for whom, and which ways of listening are refused.

Made by cli.commands.serve, used by server. Loads nothing of the extra `server`.
"""

from pathlib import Path
from typing import NamedTuple

from bundlectl.model.errors import UsageError
from bundlectl.web.security import LOOPBACK


class Settings(NamedTuple):
    """Where and for whom."""

    host: str
    port: int  # 0: any free one
    token: str
    hosts: tuple[str, ...] = ()  # more names that clients may use
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False

    @property
    def secure(self) -> bool:
        """Whether clients use https."""
        return self.tls_cert is not None or self.behind_proxy


def check_exposure(settings: Settings) -> None:
    """Raises UsageError when tokens would be readable on the way to another machine, or TLS is given by half."""
    if settings.tls_key is not None and settings.tls_cert is None:
        raise UsageError("--tls-key without --tls-cert", code="BND620")
    if settings.host in LOOPBACK or settings.host == "::1":
        return
    if not settings.secure:
        raise UsageError(
            f'"{settings.host}" can be reached from other machines, and without TLS the token can be read on the way',
            code="BND620",
            hint="give --tls-cert and --tls-key, or --behind-proxy where a proxy does TLS; else leave out --host",
        )
