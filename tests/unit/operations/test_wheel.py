"""Versions that say what is in a wheel; wheels that nobody should open."""

import base64
import csv
import io
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bundlectl.base.digest import sha256_hex
from bundlectl.operations.artifacts import best_wheels
from bundlectl.operations.wheel import BadWheel, version_key, wheel_name, with_dynamic_version
from tests.unit.engine.attempts import wheel

NAME = "tiny-1.0-py3-none-any.whl"


def _rewritten(folder: Path, **options: str) -> tuple[str, dict[str, bytes]]:
    folder.mkdir(exist_ok=True)
    path = wheel(folder, **options)
    name, data = with_dynamic_version(path.name, path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return name, {member: archive.read(member) for member in archive.namelist()}


def test_the_version_is_that_of_the_content(tmp_path: Path) -> None:
    name, members = _rewritten(tmp_path, code="a = 1\n")
    parts = wheel_name(name)
    assert parts is not None and parts.rest == "-py3-none-any.whl"
    base, _, local = parts.version.partition("+")
    assert base == "1.0" and local[0] == "b" and len(local) == 13
    info = f"tiny-{parts.version}.dist-info"
    assert set(members) == {
        "tiny/__init__.py",
        *(f"{info}/{x}" for x in ("METADATA", "WHEEL", "entry_points.txt", "RECORD")),
    }
    assert f"\nVersion: {parts.version}\n" in members[f"{info}/METADATA"].decode()
    assert b"Name: tiny\n" in members[f"{info}/METADATA"]


def test_the_record_lists_what_is_there(tmp_path: Path) -> None:
    _, members = _rewritten(tmp_path, code="a = 1\n")
    record = next(name for name in members if name.endswith("/RECORD"))
    listed = {row[0]: row[1:] for row in csv.reader(members[record].decode().splitlines())}
    assert listed.pop(record) == ["", ""]
    assert set(listed) == set(members) - {record}
    for name, (digest, size) in listed.items():
        raw = base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=").hex()
        assert (raw, int(size)) == (sha256_hex(members[name]), len(members[name]))


def test_the_same_content_gives_the_same_file_and_another_one_does_not(tmp_path: Path) -> None:
    one, same, other = (_rewritten(tmp_path / name, code=code) for name, code in zip("abc", "xxy", strict=True))
    assert one == same
    assert one[0] != other[0]
    # The old version is no content: the same package built as 2.0 differs by its base alone.
    newer = _rewritten(tmp_path / "d", code="x", version="2.0")
    assert newer[0] == one[0].replace("-1.0+", "-2.0+")


def test_a_local_version_gets_one_more_segment(tmp_path: Path) -> None:
    name, members = _rewritten(tmp_path, version="1.0+team")
    assert name.startswith("tiny-1.0+team.b")
    assert any(member.startswith("tiny-1.0+team.b") for member in members)


def test_a_description_may_say_version_too(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    data = _packed(
        {**_contents(path), "tiny-1.0.dist-info/METADATA": b"Name: tiny\nVersion: 1.0\n\nVersion: of mine\n"}
    )
    name, rewritten = with_dynamic_version(NAME, data)
    with zipfile.ZipFile(io.BytesIO(rewritten)) as archive:
        text = archive.read(f"tiny-{name.split('-')[1]}.dist-info/METADATA").decode()
    assert text.endswith("\n\nVersion: of mine\n")


def _contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _packed(members: Mapping[str, bytes], **infos: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = infos.get("attributes", 0o100644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"../out": b""}, r'a member named "\.\./out"'),
        ({"/etc/x": b""}, "a member named"),
        ({"a\\b": b""}, "a member named"),
        ({"x": b"\0" * (2 << 20)}, "unpacks to 2097152 bytes"),
        ({"x": b""}, "no .dist-info folder"),
        ({"a-1.dist-info/METADATA": b"", "b-1.dist-info/METADATA": b""}, "no .dist-info folder"),
        ({"tiny-1.0.dist-info/METADATA": b"Name: tiny\n"}, "says no version"),
        ({"tiny-1.0.dist-info/METADATA": b"Version: 1.0\n"}, "has no RECORD"),
    ],
)
def test_wheels_that_are_refused(members: Mapping[str, bytes], why: str) -> None:
    with pytest.raises(BadWheel, match=why):
        with_dynamic_version(NAME, _packed(members))


def test_links_and_what_is_no_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadWheel, match="is a link"):
        with_dynamic_version(NAME, _packed({"x": b"/etc/passwd"}, attributes=0o120777))
    with pytest.raises(BadWheel, match="not named like a wheel"):
        with_dynamic_version("tiny.whl", b"")
    for data in (b"", b"PK\x03\x04", random.Random(1).randbytes(200)):
        with pytest.raises(BadWheel, match="no readable archive"):
            with_dynamic_version(NAME, data)


def test_no_damage_of_a_wheel_gives_a_traceback(tmp_path: Path) -> None:
    whole = wheel(tmp_path, code="a = 1\n" * 50).read_bytes()
    draw = random.Random(7)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            name, _ = with_dynamic_version(NAME, bytes(data))
        except BadWheel:
            continue
        assert wheel_name(name) is not None


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.0.dev1", "1.0a1", "1.0a2.dev1", "1.0a2", "1.0b1", "1.0rc1", "1.0", "1.0+abc", "1.0+5", "1.0.post1", "1.1",
         "1.10", "2", "1!0.1"],
        ["0.0.9", "0.0.10", "0.1"],
    ],
)  # fmt: skip
def test_versions_in_the_order_of_pep_440(ordered: list[str]) -> None:
    shuffled = random.Random(3).sample(ordered, len(ordered))
    assert sorted(shuffled, key=version_key) == ordered


def test_only_the_highest_version_of_a_distribution_is_kept() -> None:
    paths = [f"dist/{name}-py3-none-any.whl" for name in ("a-1.9", "a-1.10", "a-1.10", "b-1")] + ["x.jar"]
    assert best_wheels(list(dict.fromkeys(paths))) == [paths[1], paths[3], "x.jar"]
