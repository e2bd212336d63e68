"""Inputs that nobody would write, made of those that somebody did: a fuzzer of the YAML reader and of interpolation.

Run as a program, in a process of its own with limits of memory and of time per input (test_fuzz.py). Every input
follows from a seed and a number, so that one that fails can be made again:

    python -m tests.hostile.fuzz --seed 7 --count 1000 [--only 123]
"""
# ruff: noqa: E501  (a list of tokens)

import argparse
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from bundlectl.config.interpolation import loose_dollars, references
from bundlectl.config.loader import load
from bundlectl.config.node import Node
from bundlectl.config.request import Limits, LoadRequest
from bundlectl.config.yaml_reader import read_yaml
from bundlectl.model.diagnostic import Diagnostic, Severity
from tests.conformance.bad_inputs import ACCEPTED as GOOD_INPUTS
from tests.conformance.bad_inputs import ROWS as BAD_INPUTS
from tests.conformance.language_rows import ROWS as LANGUAGE
from tests.conformance.rows import prepared
from tests.unit.config.bundles import Content, MemoryTree

# What one input may cost. Seconds are of this process, so a busy machine does not matter.
MEMORY_BYTES = 256 << 20
SECONDS = 1.0

TOKENS = [
    b"${var.x}", b"${", b"}", b"${var.", b"[0]}", b"${resources.jobs.j.id}", b"${${var.x}}", b"${bundle.name}", b"{{", b"}}", b"{", b"[", b"]",
    b",", b": ", b":", b"- ", b"-", b"? ", b"?", b"|\n", b">-\n", b"&a ", b"*a", b"*a ", b"<<: *a\n", b"<<: ", b"!!str ", b"!x ", b"!", b"%YAML 1.2\n",
    b"---\n", b"...\n", b"#", b" #", b"'", b'"', b"\\", b'"\\u0000"', b'"\\ud800"', b'"\\U00110000"', b'"\\x"', b"\t", b"\n", b"\r\n", b"\r", b"  ", b" ",
    b"\x00", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xff\xfe", b"\xf0\x9f\x99\x82", b"\xed\xa0\x80", b"\xc3", b"~", b"null", b"true", b"yes",
    b"1e999", b".nan", b"-.inf", b"0x", b"0o7", b"9" * 30, b"-0", b"1_000", b"@", b"`", b"<<<<<<< HEAD\n", b"=", b"bundle:", b"include: ['**']\n",
    b"targets:", b"resources:", b"jobs:", b"tasks:", b"variables:", b"default:", b"lookup:", b"task_key: t", b"depends_on:", b"permissions:", b"sync:",
    b"python_file: ../../x", b"mode: development", b"../", b"C:\\", b"a" * 300,
]  # fmt: skip


class Fault(Exception):
    """What an input must not do."""


def _texts(files: Content | Mapping[str, Content]) -> list[bytes]:
    clean, _ = prepared(files)
    return [text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass") for text in clean.values()]


def corpus() -> list[bytes]:
    """Every bundle file that the tests have, in a fixed order."""
    here = Path(__file__).parents[1]
    found = [path.read_bytes() for name in ("*.yml", "*.yaml") for path in sorted(here.rglob(name))]
    for row in (*BAD_INPUTS, *GOOD_INPUTS, *LANGUAGE):
        found += _texts(row.files)
    return [text for text in dict.fromkeys(found) if len(text) < 20_000]


def _cut(draw: random.Random, text: bytes) -> tuple[int, int]:
    start = draw.randint(0, len(text))
    return start, min(len(text), start + draw.choice((0, 1, 2, 4, 16, 64)))


def _bytes(draw: random.Random, text: bytes, other: bytes) -> bytes:
    start, end = _cut(draw, text)
    return text[:start] + draw.randbytes(draw.randint(0, 3)) + text[end:]


def _token(draw: random.Random, text: bytes, other: bytes) -> bytes:
    start, end = _cut(draw, text)
    return text[:start] + draw.choice(TOKENS) + text[end if draw.random() < 0.3 else start :]


def _double(draw: random.Random, text: bytes, other: bytes) -> bytes:
    start, end = _cut(draw, text)
    return text[:end] + text[start:end] * draw.choice((1, 2, 50)) + text[end:]


def _splice(draw: random.Random, text: bytes, other: bytes) -> bytes:
    start, end = _cut(draw, other)
    at = draw.randint(0, len(text))
    return text[:at] + other[start : end + draw.choice((0, 200))] + text[at:]


def _lines(draw: random.Random, text: bytes, other: bytes) -> bytes:
    lines = text.split(b"\n")
    at = draw.randrange(len(lines))
    how = draw.randrange(5)
    if how == 0:
        lines.insert(draw.randrange(len(lines) + 1), lines[at])
    elif how == 1:
        lines.pop(at)
    elif how == 2:
        lines[at] = b" " * draw.randint(1, 4) + lines[at]
    elif how == 3:
        lines[at] = lines[at].lstrip()
    else:
        lines.insert(at, draw.choice(other.split(b"\n")))
    return b"\n".join(lines)


def _nest(draw: random.Random, text: bytes, other: bytes) -> bytes:
    at = draw.randint(0, len(text))
    opening, closing = draw.choice(((b"[", b"]"), (b"{a: ", b"}"), (b"- ", b""), (b"${var.", b"}")))
    count = draw.choice((2, 10, 63, 65, 500))
    return text[:at] + opening * count + closing * draw.choice((count, count - 1, 0)) + text[at:]


def _anchors(draw: random.Random, text: bytes, other: bytes) -> bytes:
    """Aliases of aliases, a few levels deep."""
    levels, width = draw.randint(1, 6), draw.randint(1, 6)
    lines = [b"x0: &x0 [1, 2]"]
    lines += [b"x%d: &x%d [%s]" % (n, n, b", ".join([b"*x%d" % (n - 1)] * width)) for n in range(1, levels)]
    return text + b"\n" + b"\n".join(lines) + b"\n"


def _variables(draw: random.Random, text: bytes, other: bytes) -> bytes:
    """A bundle whose variables refer to each other in every way."""
    names = [f"v{n}" for n in range(draw.randint(1, 12))]

    def piece(depth: int = 0) -> str:
        how = draw.randrange(7)
        name = draw.choice(names)
        if how < 3:
            return f"${{var.{name}{draw.choice(('', '', '.x', '[0]', '.x.y'))}}}"
        if how == 3 and depth < 4:
            return f"${{var.{piece(depth + 1)}}}"
        if how == 4:
            return "${var." + draw.choice(("v", "v1", "")) + ("${var.v0}" if draw.random() < 0.5 else "}") + "}"
        return draw.choice(("a", "v", " ", "${", "1", "x-y", "${bundle.name}"))

    def value(depth: int = 0) -> str:
        kind = draw.randrange(6)
        if kind == 0 and depth < 3:
            return "{x: " + value(depth + 1) + ", y: " + value(depth + 1) + "}"
        if kind == 1 and depth < 3:
            return "[" + ", ".join(value(depth + 1) for _ in range(draw.randint(0, 3))) + "]"
        return "'" + "".join(piece() for _ in range(draw.randint(1, 8))) + "'"

    lines = [f"  {name}: {{default: {value()}}}" for name in names]
    job = f"resources: {{jobs: {{j: {{name: {value()}, tags: {{a: {value()}}}}}}}}}"
    return "\n".join(("bundle: {name: b}", "variables:", *lines, job, "")).encode()


MUTATIONS: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
    _bytes, _token, _token, _double, _splice, _lines, _lines, _nest, _anchors, _variables,
)  # fmt: skip


def make(seed: int, number: int, texts: list[bytes]) -> bytes:
    """The input of a number."""
    draw = random.Random(seed * 1_000_003 + number)
    text = draw.choice(texts)
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        text = draw.choice(MUTATIONS)(draw, text, draw.choice(texts))[:200_000]
    return text


class Shape(NamedTuple):
    """How long a text is, for places."""

    lines: int

    def check(self, findings: list[Diagnostic]) -> None:
        """Every finding has words, and points into the text."""
        for item in findings:
            if not item.summary:
                raise Fault(f"a finding without words: {item.code}")
            for span in item.spans:
                if not (0 <= span.line <= self.lines + 1 and span.column >= (1 if span.line else 0)):
                    raise Fault(f"{item.code} points outside the text: {span}")


def try_reader(data: bytes) -> None:
    """The YAML reader alone."""
    read = read_yaml(data, "f.yml", Limits())
    Shape(data.count(b"\n") + data.count(b"\r") + data.count(b"\x85") + data.count(b"\xe2\x80") + 1).check(
        read.findings
    )
    if read.node is None and not read.findings and not read.empty:
        raise Fault("neither a value nor a finding")
    if any(not item.spans for item in read.findings):
        raise Fault("a finding of the reader without a place")
    if read.node is not None:
        _check_places(read.node)


def _check_places(node: Node) -> None:
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if at.span.line < 1 or at.span.column < 1:
            raise Fault(f"a value without a place: {at.span}")
        value: Any = at.value
        waiting.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def try_references(data: bytes) -> None:
    """The grammar of references on any text."""
    text = data.decode("utf-8", "replace")
    for reference in references(text):
        if text[reference.start : reference.end] != reference.text or not reference.text.startswith("${"):
            raise Fault(f"a reference that is not in the text: {reference}")
    loose_dollars(text)


def try_bundle(data: bytes) -> None:
    """All of loading: as the root file, and as a file that it includes."""
    for files in (
        {"databricks.yml": data},
        {"databricks.yml": b"bundle: {name: b}\ninclude: [a.yml]\n", "a.yml": data},
    ):
        result = load(MemoryTree({**files, "src/a.py": "1"}), LoadRequest(user="tester@x.com"))
        Shape(data.count(b"\n") + data.count(b"\r") + data.count(b"\x85") + data.count(b"\xe2\x80") + 3).check(
            list(result.diagnostics)
        )
        errors = [item for item in result.diagnostics if item.severity is Severity.ERROR]
        if (result.bundle is None) != bool(errors):
            raise Fault("a bundle in spite of errors, or none without")
        if result.bundle is not None and result.document is None:
            raise Fault("a bundle without a document")


TARGETS: tuple[Callable[[bytes], None], ...] = (try_reader, try_references, try_bundle)


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise Fault(f"took longer than {SECONDS} s of processor time")


def run(seed: int, first: int, count: int) -> list[str]:
    """Tries inputs; what is wrong with which."""
    texts = corpus()
    faults = []
    signal.signal(signal.SIGPROF, _out_of_time)
    for number in range(first, first + count):
        data = make(seed, number, texts)
        for target in TARGETS:
            try:
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                target(data)
            except Exception as fault:
                why = "".join(traceback.format_exception(fault)[-4:]) if not isinstance(fault, Fault) else str(fault)
                faults.append(f"seed {seed}, number {number}, {target.__name__}: {why}\n{data[:2000]!r}")
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
    return faults


def _peak_bytes() -> int:
    """Most memory that this process ever had. What getrusage says may be its parent's, from before it was started."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main(words: list[str]) -> int:
    """Prints faults, then how many inputs were tried and what they cost; 1 when there are faults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--only", type=int)
    given = parser.parse_args(words)
    resource.setrlimit(resource.RLIMIT_AS, (4 * MEMORY_BYTES, 4 * MEMORY_BYTES))  # addresses, not memory: a last resort
    faults = run(given.seed, given.only or 0, 1 if given.only is not None else given.count)
    peak = _peak_bytes()
    if peak > MEMORY_BYTES:
        faults.append(f"seed {given.seed}: {peak >> 20} MiB of memory")
    sys.stdout.write(
        "\n\n".join((*faults[:5], f"{given.count} inputs, {time.process_time():.1f} s, {peak >> 20} MiB\n"))
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
