"""Runs the application: socket, limits on connections and heads, TLS, and an orderly end on SIGTERM or SIGINT.

Called by cli.commands.serve in the main thread. The engine is started and stopped by whoever calls.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bundlectl.base.clock import Clock
from bundlectl.engine.service import Engine
from bundlectl.model.errors import UsageError
from bundlectl.web.app import Facts, application
from bundlectl.web.security import Guard, allowed_hosts
from bundlectl.web.settings import Settings, check_exposure

_HEAD_BYTES = 32 << 10
_HEAD_S = 10.0  # for a client to say what it wants
_KEEP_ALIVE_S = 75  # longer than clients keep idle connections
_CONNECTIONS = 1_000
_BACKLOG = 512
_END_S = 15  # for answers that are under way when the server stops


def serve(
    engine: Engine,
    settings: Settings,
    clock: Clock,
    *,
    ready: Callable[[str], None],
    report: Callable[[str, BaseException], None],
) -> None:
    """Answers until SIGTERM or SIGINT. `ready` is told the address once connections are taken.

    Raises UsageError when address or certificate cannot be used.
    """
    check_exposure(settings)
    listening = _listen(settings)
    port = listening.getsockname()[1]
    scheme = "http" if settings.tls_cert is None else "https"
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{scheme}://{name}:{port}"
    hosts = allowed_hosts(settings.host, port, settings.hosts, secure=settings.secure)
    guard = Guard(settings.token, hosts, scheme="https" if settings.secure else "http", clock=clock)
    stopping: list[bool] = []
    facts = Facts(engine, guard, address, report, lambda: bool(stopping))
    config = configuration(facts, settings)
    with contextlib.closing(listening):
        _load(config, settings)
        asyncio.run(_run(QuietServer(config), listening, stopping, lambda: ready(address)))


def configuration(facts: Facts, settings: Settings) -> uvicorn.Config:
    """The application with every limit."""
    return uvicorn.Config(
        application(facts),
        http=_Head,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_END_S,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def _load(config: uvicorn.Config, settings: Settings) -> None:
    try:
        config.load()
    except OSError as error:  # an SSLError is one too
        raise UsageError(
            f'the certificate "{settings.tls_cert}" cannot be used',
            code="BND709",
            detail=error.strerror or str(error),
            hint="--tls-cert takes a chain in PEM form, --tls-key its key",
        ) from error


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {settings.host} port {settings.port}",
            code="BND710",
            detail=error.strerror or str(error),
            hint="another server may run there; --port chooses another one",
        ) from error


async def _run(
    server: "QuietServer", listening: socket.socket, stopping: list[bool], ready: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = bool(stopping)  # asked twice: answers under way are not waited for
        stopping.append(True)
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        ready()
    await serving


class QuietServer(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Head(H11Protocol):
    """Closes connections that do not say what they want in time."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # An answer leaves in two parts; without this the second waits for the other side to confirm the first.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._cancel()
        elif self._late is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(_HEAD_S, self.transport.close)

    def _cancel(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
