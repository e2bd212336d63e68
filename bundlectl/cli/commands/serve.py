"""serve: the embedded engine with its REST API, until it is stopped."""

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bundlectl.base.clock import Clock, SystemClock, rfc3339
from bundlectl.cli.environment import open_console
from bundlectl.cli.options import Common, application, command
from bundlectl.cli.wiring import own_engine, web_server
from bundlectl.model.errors import UsageError
from bundlectl.render.console import Console
from bundlectl.render.escape import visible
from bundlectl.web.security import token_of
from bundlectl.web.settings import Settings, check_exposure

HostOption = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on; others than loopback need TLS.")
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
EngineOption = Annotated[
    Path | None, typer.Option("--engine", metavar="DIR", help="Folder of the engine; else BUNDLECTL_ENGINE_DIR.")
]
TokenOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="File with the token; made when missing.")
]
CertOption = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain, as PEM.")]
KeyOption = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, as PEM.")]
ProxyOption = Annotated[
    bool, typer.Option("--behind-proxy", help="A proxy in front does TLS, so other addresses are fine.")
]
NamesOption = Annotated[
    list[str] | None,
    typer.Option("--allow-host", metavar="NAME", help="Host name that clients use; may be repeated."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--max-workers", min=1, metavar="N", help="Tasks that run at once; else one per processor."),
]
DrainOption = Annotated[bool, typer.Option("--drain", help="On SIGTERM, wait until every run has ended.")]


def serve(
    common: Common,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8472,
    engine: EngineOption = None,
    token_file: TokenOption = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
    behind_proxy: ProxyOption = False,
    allow_host: NamesOption = None,
    max_workers: WorkersOption = None,
    drain: DrainOption = False,
) -> int:
    """Run jobs and answer the Jobs REST API until SIGTERM or Ctrl-C. Tasks that run then go on."""
    console = open_console(common)
    run = web_server()
    clock = SystemClock()
    base = (common.chdir or Path()).resolve()
    settings = Settings(
        host,
        port,
        token="",
        hosts=tuple(allow_host or ()),
        tls_cert=None if tls_cert is None else base / tls_cert,
        tls_key=None if tls_key is None else base / tls_key,
        behind_proxy=behind_proxy,
    )
    check_exposure(settings)
    served, folder = own_engine(None if engine is None else base / engine, clock, workers=max_workers)
    path = base / token_file if token_file is not None else folder / "token"
    token, is_new = token_of(path)

    def ready(address: str) -> None:
        console.result(f"Serving {address}  engine {visible(str(folder))}")
        if is_new and console.stderr_is_terminal:
            console.say(f"Token, shown this once: {token}")
        console.say(f"Token file: {visible(str(path))}")

    try:
        served.create()
        served.start()
        report = _reporter(console, clock, with_traceback=common.debug)
        run(served, settings._replace(token=token), clock, ready=ready, report=report)
    except OSError as error:
        raise UsageError(f'cannot use "{folder}": {error.strerror or error}', code="BND623") from error
    finally:
        served.stop(drain=drain)
    return 0


def _reporter(console: Console, clock: Clock, *, with_traceback: bool) -> Callable[[str, BaseException], None]:
    """Says a fault of ours as one JSON line: its kind and place, not its text, which may quote what a client sent."""

    def report(request: str, fault: BaseException) -> None:
        at = traceback.extract_tb(fault.__traceback__)[-1]
        line = {"time": rfc3339(clock.now_ms()), "level": "error", "request": request}
        console.report(
            json.dumps({**line, "fault": type(fault).__name__, "at": f"{Path(at.filename).name}:{at.lineno}"})
        )
        if with_traceback:
            console.report("".join(traceback.format_exception(fault)))

    return report


serve_app = application(main=command(serve, source=False))
