"""An engine behind a real server in a thread of this process, on a free port of loopback."""

import socket
import threading
from typing import Any

from bundlectl.backends.jobs_api.http import HttpTransport, Limits
from bundlectl.base.clock import FrozenClock, SystemClock
from bundlectl.engine.service import Engine
from bundlectl.web.app import Facts
from bundlectl.web.security import Guard, allowed_hosts
from bundlectl.web.server import QuietServer, configuration
from bundlectl.web.settings import Settings
from tests.patience import until

TOKEN = "canary-token-6c1f0a3d9b7e42c58d1e"


class Served:
    """`faults`: what the server reported of itself; a test that ends with some has found a bug."""

    def __init__(self, engine: Engine) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.faults: list[BaseException] = []
        guard = Guard(TOKEN, allowed_hosts("127.0.0.1", port, (), secure=False), scheme="http", clock=SystemClock())
        self.facts = Facts(engine, guard, self.address, lambda id, fault: self.faults.append(fault), lambda: False)
        self._server = QuietServer(configuration(self.facts, Settings("127.0.0.1", port, TOKEN)))
        self._thread = threading.Thread(target=self._server.run, args=([self._listening],), daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    def transport(self, limits: Limits | None = None) -> HttpTransport:
        """Waits that the other side asks for cost no time."""
        more: dict[str, Any] = {} if limits is None else {"limits": limits}
        return HttpTransport(self.address, lambda: f"Bearer {TOKEN}", FrozenClock(), agent="test", **more)

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
