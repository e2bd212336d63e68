"""`bundlectl serve` as a process: its token, its end, a second one on the same engine, and kills under load."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundlectl.backends.jobs_api.http import HttpTransport
from bundlectl.backends.jobs_api.transport import NoAnswer, NotSent
from bundlectl.base.clock import SystemClock
from tests.patience import until

ROOT = Path(__file__).resolve().parent.parent.parent


class Servers:
    """Servers on one engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *options: str) -> tuple[subprocess.Popen[str], str]:
        """A server on a free port, and its address."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT), "USER": "ann"}
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bundlectl",
                "serve",
                "--engine",
                str(self.folder / "engine"),
                "--port",
                "0",
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self.started.append(process)
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("Serving http://127.0.0.1:"), line + process.stderr.read()
        return process, line.split()[1]

    def transport(self, address: str) -> HttpTransport:
        token = (self.folder / "engine" / "token").read_text().strip()
        return HttpTransport(address, lambda: f"Bearer {token}", SystemClock(), agent="test")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    yield servers
    for process in servers.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _post(transport: HttpTransport, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = transport.request("POST", f"/api/2.2/jobs/{path}", {}, body, {})
    assert answer.status == 200, answer
    assert isinstance(answer.document, dict)
    return answer.document


def _get(transport: HttpTransport, path: str, **query: str) -> Any:
    answer = transport.request("GET", f"/api/2.2/jobs/{path}", query, None, {})
    assert answer.status == 200, answer
    return answer.document


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_and_leaves_tasks_running(servers: Servers, number: signal.Signals) -> None:
    process, address = servers.start()
    client = servers.transport(address)
    goes_on = servers.folder / "goes-on"
    task = {"task_key": "a", "shell_task": {"command": ["sh", "-c", f"until test -e {goes_on}; do sleep 0.05; done"]}}
    job = _post(client, "create", {"name": "long", "tasks": [task]})["job_id"]
    run = str(_post(client, "run-now", {"job_id": job})["run_id"])
    until(lambda: _get(client, "runs/get", run_id=run)["state"]["life_cycle_state"] == "RUNNING")
    process.send_signal(number)
    assert process.wait(60) == 0
    out, err = process.communicate()
    assert "Traceback" not in err and "interrupted" not in err
    token = (servers.folder / "engine" / "token").read_text().strip()
    assert token not in out + err
    goes_on.write_text("")
    _, address = servers.start()
    client = servers.transport(address)
    until(lambda: _get(client, "runs/get", run_id=run)["state"].get("result_state") == "SUCCESS")


def test_a_port_that_is_taken_and_places_that_are_refused(servers: Servers) -> None:
    _, address = servers.start()
    port = address.rpartition(":")[2]
    environment = {"PATH": os.environ["PATH"], "HOME": str(servers.folder), "PYTHONPATH": str(ROOT)}
    for options, code, text in (
        (["--port", port], 1, "cannot listen on 127.0.0.1 port"),
        (["--host", "0.0.0.0", "--port", "0"], 1, "can be reached from other machines"),
        (["--port", "0", "--tls-cert", "/nonexistent"], 1, "the certificate"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "bundlectl", "serve", "--engine", str(servers.folder / "engine"), *options],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, text in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr


def test_two_servers_and_kills_under_load_lose_nothing_that_was_acknowledged(servers: Servers) -> None:
    """Writers on both servers; one server is killed and another takes its place, several times."""
    (first, address), (_, other) = servers.start(), servers.start()
    addresses = {"a": address, "b": other}
    acknowledged: list[tuple[int, str]] = []
    over = threading.Event()

    def write(place: str, number: int) -> None:
        count = 0
        while not over.is_set():
            count += 1
            name = f"{place}{number}-{count}"
            client = servers.transport(addresses[place])
            try:
                answer = client.request("POST", "/api/2.2/jobs/create", {}, {"name": name}, {})
            except (NotSent, NoAnswer):
                over.wait(0.02)
                continue
            finally:
                client.close()
            if answer.status == 200:
                acknowledged.append((answer.document["job_id"], name))

    threads = [threading.Thread(target=write, args=(place, number)) for place in "ab" for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            seen = len(acknowledged)
            until(lambda seen=seen: len(acknowledged) > seen + 15)  # type: ignore[misc]  # bound at once
            first.send_signal(signal.SIGKILL)
            first.wait()
            first, addresses["a"] = servers.start()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    client = servers.transport(other)
    there: dict[int, str] = {}
    token = ""
    while True:
        page = _get(client, "list", limit="100", **({"page_token": token} if token else {}))
        there |= {job["job_id"]: job["settings"]["name"] for job in page.get("jobs", ())}
        token = page.get("next_page_token", "")
        if not token:
            break
    assert len(acknowledged) > 45
    assert [item for item in acknowledged if there.get(item[0]) != item[1]] == []
