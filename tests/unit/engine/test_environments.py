"""What is installed, and environments built from wheels without a network."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bundlectl.engine.environments import EnvironmentFailed, Environments, Library, inspect
from tests.unit.engine.attempts import wheel

HOST = {"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1"}


def distribution(folder: Path, name: str, record: str | None) -> None:
    info = folder / f"{name}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("")
    if record is not None:
        (info / "RECORD").write_text(record)


def test_the_interpreter_of_the_tests_is_described() -> None:
    found = inspect(sys.executable, HOST)
    assert found.python == ".".join(str(part) for part in sys.version_info[:3])
    packages = {package.name: package for package in found.packages}
    assert packages["pytest"].version == pytest.__version__
    assert (packages["pytest"].digest or "").startswith("sha256:")
    assert list(packages) == sorted(packages)
    document = found.document()
    assert document["key"] == "default" and document["image"] is None
    assert document["packages"][0].keys() == {"name", "version", "digest"}
    assert document["lock"] == found.lock == inspect(sys.executable, HOST).lock


def test_the_lock_depends_on_content_and_not_on_the_installation(tmp_path: Path) -> None:
    def lock(folder: str, record: str | None) -> str:
        distribution(tmp_path / folder, "My_Pack.age-1.0", record)
        found = inspect(sys.executable, {"PYTHONPATH": str(tmp_path / folder)})
        (package,) = [package for package in found.packages if package.name == "my-pack-age"]
        assert package.version == "1.0"
        return found.lock

    one = lock("one", "a.py,sha256=1,2\nb.py,sha256=2,2\n__pycache__/a.pyc,,\nx.dist-info/INSTALLER,sha256=9,1\n")
    same = lock("two", "b.py,sha256=2,2\na.py,sha256=1,2\n../../bin/a,sha256=5,5\nx.dist-info/INSTALLER,sha256=8,1\n")
    other = lock("three", "a.py,sha256=3,2\nb.py,sha256=2,2\n")
    assert one == same
    assert len({one, other, lock("four", None)}) == 3


def test_the_default_environment_is_the_interpreter_itself(tmp_path: Path) -> None:
    environments = Environments(tmp_path / "engine", sys.executable, HOST)
    assert environments.interpreter([]) == sys.executable
    assert environments.document("default", []) == inspect(sys.executable, HOST).document("default")
    assert not (tmp_path / "engine").exists()


def test_one_environment_for_one_content_also_with_two_builders(tmp_path: Path) -> None:
    library = Library("wheel", str(wheel(tmp_path, code="A = 1\n")))
    unbuilt = Environments(tmp_path / "engine", sys.executable, HOST).document("k", [library])
    assert unbuilt["packages"] == [] and "unknown" in unbuilt
    found: list[str] = []

    def build() -> None:
        found.append(Environments(tmp_path / "engine", sys.executable, HOST).interpreter([library]))

    builders = [threading.Thread(target=build) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert len(found) == 2 and len(set(found)) == 1

    (tmp_path / "elsewhere").mkdir()
    moved = Library("wheel", str(wheel(tmp_path / "elsewhere", code="A = 1\n")))
    changed = Library("wheel", str(wheel(tmp_path / "elsewhere", code="A = 2\n", version="1.1")))
    environments = Environments(tmp_path / "engine", sys.executable, HOST)
    assert environments.name([changed]) != environments.name([library])
    Path(moved.text).write_bytes(Path(library.text).read_bytes())
    assert environments.name([moved]) == environments.name([library])

    built = environments.document("k", [library])
    packages = {package["name"]: package["version"] for package in built["packages"]}
    assert packages["tiny"] == "1.0" and packages["pytest"] == pytest.__version__
    assert built["lock"] != environments.default().lock


class Index(ThreadingHTTPServer):
    """A package index with one wheel. The first download of it waits until `go_on` is set."""

    def __init__(self, file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.file = file
        self.asked, self.go_on, self.first_done = threading.Event(), threading.Event(), threading.Event()
        self.first = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/simple"


class _Answer(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        name = self.server.file.name
        if not self.path.endswith(".whl"):
            self._send(f'<a href="/{name}">{name}</a>'.encode(), "text/html")
            return
        is_first = self.server.first.acquire(blocking=False)
        if is_first:
            self.server.asked.set()
            self.server.go_on.wait(120)
        try:
            self._send(self.server.file.read_bytes(), "application/octet-stream")
        finally:
            if is_first:
                self.server.first_done.set()

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        return


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    server = Index(wheel(tmp_path, code="A = 1\n"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_builder_that_was_killed_in_the_middle_disturbs_nobody(tmp_path: Path, index: Index) -> None:
    """Its pip lives on, and ends after the environment was built by somebody else."""
    host = {"PATH": HOST["PATH"], "PIP_INDEX_URL": index.url, "PIP_NO_CACHE_DIR": "1", "HOME": str(tmp_path)}
    script = (
        "import sys; from pathlib import Path; from bundlectl.engine.environments import Environments, Library\n"
        f"Environments(Path({str(tmp_path / 'engine')!r}), sys.executable, {host!r})"
        ".interpreter([Library('requirement', 'tiny==1.0')])"
    )
    builder = subprocess.Popen([sys.executable, "-c", script])
    assert index.asked.wait(120), "pip of the first builder is at work"
    builder.kill()
    builder.wait()
    library = Library("requirement", "tiny==1.0")
    begun = list((tmp_path / "engine" / "environments").glob("*.d"))
    python = Environments(tmp_path / "engine", sys.executable, host).interpreter([library])
    assert len(begun) == 1 and Path(python).parent.parent not in begun
    files = sorted(Path(python).parent.parent.rglob("*"))
    index.go_on.set()
    assert index.first_done.wait(120)
    assert (
        subprocess.run([python, "-c", "import tiny; print(tiny.A)"], capture_output=True, check=True).stdout == b"1\n"
    )
    assert [path for path in files if not path.exists()] == []
    assert Environments(tmp_path / "engine", sys.executable, host).interpreter([library]) == python, "built once"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"folder": "gone"}'])
def test_a_note_that_names_no_environment_is_none(tmp_path: Path, text: str) -> None:
    environments = Environments(tmp_path / "engine", sys.executable, HOST)
    library = Library("wheel", str(wheel(tmp_path, code="A = 1\n")))
    (tmp_path / "engine" / "environments").mkdir(parents=True)
    (tmp_path / "engine" / "environments" / f"{environments.name([library])}.json").write_text(text)
    assert "unknown" in environments.document("k", [library])


def test_a_library_that_cannot_be_installed_shows_what_pip_said(tmp_path: Path) -> None:
    environments = Environments(tmp_path, sys.executable, HOST)
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"no archive")
    with pytest.raises(EnvironmentFailed, match=r"(?s)Installing \"broken-1\.0.*ended with exit status 1:\n.*broken"):
        environments.interpreter([Library("wheel", str(broken))])
    # What was left half made is not taken for an environment.
    with pytest.raises(EnvironmentFailed):
        environments.interpreter([Library("wheel", str(broken))])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    environments = Environments(tmp_path, sys.executable, HOST)
    with pytest.raises(EnvironmentFailed, match=r'"/none\.whl" cannot be read'):
        environments.interpreter([Library("wheel", "/none.whl")])
    with pytest.raises(EnvironmentFailed, match='"/no/python" cannot be used'):
        Environments(tmp_path, "/no/python", HOST).default()
