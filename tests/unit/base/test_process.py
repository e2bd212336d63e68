"""Programs that the invoker allowed: output as it comes, exit codes, and nothing left behind by an interrupt."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bundlectl.base.process import run_attached, run_reader, run_shown
from tests.patience import until

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def _shown(script: str, folder: Path) -> tuple[int, list[bytes]]:
    lines: list[bytes] = []
    code = run_shown(["bash", "-c", script], environment=ENVIRONMENT, folder=str(folder), show=lines.append)
    return code, lines


def test_output_of_both_streams_comes_in_whole_lines(tmp_path: Path) -> None:
    code, lines = _shown("echo a; echo b >&2; printf c; exit 5", tmp_path)
    assert code == 5
    assert b"\n".join(lines).split(b"\n") == [b"a", b"b", b"c"]


def test_lines_come_while_the_program_goes_on(tmp_path: Path) -> None:
    # The program goes on only once its first line was seen: a reader that waits for the end would wait for ever.
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen: list[bytes] = []

    def show(data: bytes) -> None:
        seen.append(data)
        if data == b"ready":
            gate.write_text("go\n")

    code = run_shown(
        ["bash", "-c", f'echo ready; read line < "{gate}"; echo "$line"'],
        environment=ENVIRONMENT,
        folder=str(tmp_path),
        show=show,
    )
    assert (code, seen) == (0, [b"ready", b"go"])


def test_a_line_without_end_is_shown_in_parts(tmp_path: Path) -> None:
    code, lines = _shown("head -c 5000000 /dev/zero", tmp_path)
    assert code == 0 and sum(map(len, lines)) == 5_000_000
    assert max(map(len, lines)) < 2_000_000


def test_it_has_no_input_and_a_missing_program_is_said(tmp_path: Path) -> None:
    assert _shown("cat; echo end", tmp_path) == (0, [b"end"])
    with pytest.raises(FileNotFoundError):
        run_shown(["/no/program"], environment={}, folder=str(tmp_path), show=print)


def test_a_fault_while_showing_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def show(data: bytes) -> None:
        raise KeyboardInterrupt

    script = f'sleep 3600 & echo $! > "{pid}"; echo started; wait'
    with pytest.raises(KeyboardInterrupt):
        run_shown(["bash", "-c", script], environment=ENVIRONMENT, folder=str(tmp_path), show=show)
    until(lambda: not _alive(int(pid.read_text())))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


_ATTACHED = """\
import sys
from bundlectl.base.process import run_attached
print("before", flush=True)
code = run_attached(["bash", "-c", sys.argv[1]], environment={"PATH": sys.argv[2]}, folder="/",
    stdout_to_stderr=sys.argv[3] == "aside")
print(f"ended {code}")
"""


@pytest.mark.parametrize(
    ("mode", "out", "err"),
    [("same", "before\n/ typed\nended 3\n", "err\n"), ("aside", "before\nended 3\n", "/ typed\nerr\n")],
)
def test_an_attached_program_has_the_streams_of_this_process(mode: str, out: str, err: str) -> None:
    script = 'read line; echo "$PWD $line"; echo err >&2; exit 3'
    ended = subprocess.run(
        [sys.executable, "-c", _ATTACHED, script, os.environ["PATH"], mode],
        input="typed\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == (out, err)


def test_an_interrupt_ends_an_attached_program(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child = subprocess.Popen(
        [sys.executable, "-c", _ATTACHED, f'echo $$ > "{pid}"; exec sleep 3600', os.environ["PATH"], "same"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: pid.exists() and pid.read_text().strip() != "")
        child.send_signal(signal.SIGINT)  # to the parent alone, as a service manager does
        assert child.wait() != 0
        until(lambda: not _alive(int(pid.read_text())))
    finally:
        child.kill()
        child.wait()


def test_a_missing_program_cannot_be_attached() -> None:
    with pytest.raises(FileNotFoundError):
        run_attached(["/no/program"], environment={}, folder="/")


def test_a_reader_gets_the_text_and_is_waited_for(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    command = f"{sys.executable} -c 'import sys; open(sys.argv[1], \"w\").write(sys.stdin.read())' '{seen}'"
    assert run_reader(command, "a\n\u20ac \udc80\n", os.environ)
    assert seen.read_text(encoding="utf-8") == "a\n\u20ac \\udc80\n"
    # One that ends before it has read all of it is a reader that had enough.
    assert run_reader(f"{sys.executable} -c pass", "x" * 1_000_000, os.environ)


@pytest.mark.parametrize("command", ["", "no-such-pager", "'"])
def test_a_reader_that_cannot_be_started_showed_nothing(command: str) -> None:
    assert not run_reader(command, "text", os.environ)
