"""A hostile source reaches nothing: its host is not asked, and credentials stay out of every output and file."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import RepositoryBuilder

CANARY = "canary-8f2c"
BUNDLE = """\
bundle: {name: shop}
variables:
  api_token: {default: none}
  region: {default: none}
bundlectl: {backend: {kind: server, url: "http://127.0.0.1:PORT"}, state: {remote: "."}}
resources:
  jobs:
    etl:
      name: "etl ${var.api_token} ${var.region}"
      tasks: [{task_key: t, notebook_task: {notebook_path: /n}}]
"""


def _ran(repository: RepositoryBuilder, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bundlectl", *words],
        cwd=repository.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [("plan",), ("plan", "-o", "json"), ("validate", "-o", "json"), ("diff",)])
def test_nothing_is_asked_and_no_credential_is_shown(
    repository: RepositoryBuilder, environment: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    secret = dict.fromkeys(("DATABRICKS_TOKEN", "BUNDLECTL_GIT_TOKEN", "BUNDLE_VAR_api_token"), CANARY)
    here = {**environment, **secret, "BUNDLE_VAR_region": "south"}
    with socket.create_server(("127.0.0.1", 0)) as host:
        host.setblocking(False)
        repository.write({"databricks.yml": BUNDLE.replace("PORT", str(host.getsockname()[1]))})
        repository.commit(files={})
        ended = _ran(repository, here, *words, "--untrusted")
        with pytest.raises(BlockingIOError):
            host.accept()
    assert ended.returncode == 0, ended.stderr
    assert CANARY not in ended.stdout + ended.stderr
    said = next(line for line in ended.stderr.splitlines() if line.startswith("not used for an untrusted source: "))
    assert set(said.partition(": ")[2].split(", ")) >= secret.keys()  # the machine may have more
    if words[0] == "validate":
        assert "etl none south" in ended.stdout
    if words == ("plan",):
        assert "not read" in ended.stdout
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written and not any(CANARY.encode() in content for content in written)
