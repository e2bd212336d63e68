"""Inputs that are made to cost much: each is refused early, in bounded time and memory. Rows: tests/conformance."""

import os
import subprocess
import sys
import time

import pytest

from bundlectl.config.loader import load
from bundlectl.config.request import Limits, LoadRequest
from bundlectl.config.yaml_reader import read_yaml
from tests.unit.config.bundles import MemoryTree, bundle, codes, found, job_yaml, loaded


def test_a_byte_order_mark_is_dropped_and_not_counted() -> None:
    result = loaded({"databricks.yml": b"\xef\xbb\xbfbundle: {nam: b}\n"})
    assert [str(finding.spans[0]) for finding in found(result, "BND201")] == ["databricks.yml:1:10"]


def test_doubling_variables_are_stopped_by_size() -> None:
    lines = ["variables:", "  v0: {default: xxxxxxxxxx}"]
    lines += [f"  v{n}: {{default: '${{var.v{n - 1}}}${{var.v{n - 1}}}'}}" for n in range(1, 31)]
    started = time.monotonic()
    (finding,) = found(loaded(bundle("\n".join(lines) + "\n")), "BND242")
    assert "the resolved bundle is too large" in finding.summary
    assert time.monotonic() - started < 30


ALIASES = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + level, 98 + level, b",".join([b"*%c" % (97 + level)] * 10)) for level in range(9)
)
BOMBS = {
    "22 aliases": (ALIASES, "BND126"),
    "22 merge keys": (b"a: &a {" + b",".join(b"k%d: v" % n for n in range(3000)) + b"}\n" + b"".join(
        b"m%d: {<<: *a}\n" % n for n in range(200)), "BND126"),
    "23 brackets": (b"[" * 1_000_000, "BND123"),
    "23 braces": (b"{a: " * 300_000, "BND123"),
    "23 dashes": (b"- " * 100_000, "BND123"),
    "24 values": (b"[" + b"0," * 1_000_001 + b"]", "BND124"),
    "25 size": (b"# " + b"x" * (8 << 20), "BND120"),
    "26 alias uses": (b"a: &a 1\nc: [" + b"1," * 2000 + b"]\nb: [" + b"*a," * 10_001 + b"]\n", "BND125"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_a_child_process_before_it_grows(name: str) -> None:
    data, code = BOMBS[name]
    program = (
        "import sys, resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "from bundlectl.config.yaml_reader import Limits, read_yaml\n"
        "read = read_yaml(sys.stdin.buffer.read(), 'f.yml', Limits())\n"
        "print(','.join(item.code for item in read.findings), read.findings[0].spans[0])\n"
    )
    started = time.monotonic()
    child = subprocess.run(
        [sys.executable, "-c", program], input=data, capture_output=True, timeout=60, check=False, env=dict(os.environ)
    )
    assert child.returncode == 0, child.stderr.decode()
    assert child.stdout.decode().split()[0] == code
    assert time.monotonic() - started < 20


def test_the_depth_is_reported_at_the_first_opening_that_is_too_deep() -> None:
    for text, column in (("[" * 1_000_000, 65), ("[" * 66, 65)):
        (finding,) = read_yaml(text.encode(), "f.yml", Limits()).findings
        assert (finding.spans[0].line, finding.spans[0].column) == (1, column)


def test_small_files_may_use_many_aliases() -> None:
    text = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: [" + "*a," * 200 + "]\n"
    assert read_yaml(text.encode(), "f.yml", Limits()).findings == []


def test_bundle_limits_count_over_all_files() -> None:
    files = {"databricks.yml": bundle("include: ['r/*.yml']\n"), **{f"r/{n}.yml": "variables: {}\n" for n in range(5)}}
    small = Limits(files=5)
    assert "BND122" in codes(load(MemoryTree(files), LoadRequest(limits=small)))
    assert "BND122" not in codes(load(MemoryTree(files), LoadRequest(limits=Limits(files=6))))
    assert "BND121" in codes(load(MemoryTree(files), LoadRequest(limits=Limits(bundle_bytes=60))))


def test_every_expression_is_linear_in_its_input() -> None:
    long = 100_000
    texts = [
        "${" + "a_" * long,
        "${" + "a" * long,
        "${a" + "[0]" * long,
        "${" * long,
        "a" * long + " ==1",
        "-r " + " " * long,
        "a[" * long,
    ]
    for text in texts:
        started = time.monotonic()
        loaded(
            job_yaml(
                f'description: "{text}"\nenvironments: [{{environment_key: e, spec: {{dependencies: ["{text}"]}}}}]'
            )
        )
        assert time.monotonic() - started < 30
