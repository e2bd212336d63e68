"""Wheels: reading them within limits, and giving them a version that says what is in them (config language 13).

Called by operations.build and operations.artifacts, for `dynamic_version`. Nothing is unpacked to disk. The same wheel
always gives the same bytes.
"""

import base64
import binascii
import io
import re
import struct
import zipfile
import zlib
from typing import NamedTuple

from bundlectl.base.digest import digest_document, sha256_hex

_MOST_BYTES = 200 << 20  # of all members together, unpacked
_MOST_RATIO = 100  # of a member, once it is larger than _RATIO_FLOOR
_RATIO_FLOOR = 1 << 20
_LINK = 0o120000
_FILE_NAME = re.compile(r"(?P<project>[^-]+)-(?P<version>[^-]+)(?P<rest>(?:-[^-]+)?-[^-]+-[^-]+-[^-]+\.whl)")
_VERSION_LINE = re.compile(rb"^Version:[ \t]*([^\r\n]*?)[ \t]*(\r?)$", re.MULTILINE)
# Signatures of a RECORD that is written anew would not hold.
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
# What the standard library raises for a damaged archive: nearly anything, also errors of arithmetic and decoding.
_UNREADABLE = (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError, OSError, struct.error)
_PRE = {"dev": -4, "a": -3, "alpha": -3, "b": -2, "beta": -2, "c": -1, "rc": -1, "pre": -1, "preview": -1}


class BadWheel(ValueError):
    """A file that is no wheel, or one that nobody should open; the text says why."""


class WheelName(NamedTuple):
    """The parts of a wheel's file name. `rest` begins with the build tag or the Python tag: `-py3-none-any.whl`."""

    project: str
    version: str
    rest: str


class _Member(NamedTuple):
    name: str
    content: bytes
    info: zipfile.ZipInfo


def wheel_name(file_name: str) -> WheelName | None:
    """The parts of a wheel's file name; None for another file."""
    match = _FILE_NAME.fullmatch(file_name)
    return WheelName(match["project"], match["version"], match["rest"]) if match else None


def version_key(version: str) -> tuple[object, ...]:
    """Sorts versions as PEP 440 does: epoch, release, pre-release, post-release, development, local part."""
    text, _, local = version.lower().lstrip("v").partition("+")
    epoch, bang, release = text.rpartition("!")
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", release)
    numbers = [int(part) for part in match[0].split(".")] if match else [-1]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    rest = release[match.end() :] if match else release
    marks = [(name, int(number or 0)) for name, number in re.findall(r"[._-]*([a-z]+)[._-]*([0-9]*)", rest)]
    pre = next(((_PRE[name], number) for name, number in marks if name in _PRE and name != "dev"), None)
    dev = next((number for name, number in marks if name == "dev"), None)
    post = next((number for name, number in marks if name in ("post", "rev", "r")), None)
    if pre is None:
        pre = (_PRE["dev"], 0) if dev is not None and post is None else (0, 0)
    parts = [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"[._-]", local) if part]
    return (
        int(epoch) if bang and epoch.isdigit() else 0,
        tuple(numbers),
        pre,
        -1 if post is None else post,
        float("inf") if dev is None else dev,
        tuple(parts),
    )


def with_dynamic_version(file_name: str, data: bytes) -> tuple[str, bytes]:
    """File name and bytes of the wheel under the version `<base>+b<12 hex>` that its content gives it.

    Raises BadWheel.
    """
    name = wheel_name(file_name)
    if name is None:
        raise BadWheel(f'"{file_name}" is not named like a wheel')
    members = _members(data)
    folder = _info_folder(members)
    metadata = next((member for member in members if member.name == f"{folder}/METADATA"), None)
    line = _VERSION_LINE.search(_header(metadata.content)) if metadata is not None else None
    if metadata is None or line is None:
        raise BadWheel(f'"{file_name}" says no version in its METADATA')
    old = folder.removesuffix(".dist-info")
    project = old.rpartition("-")[0]
    segment = "b" + _content_digest(members, old, project, f"{folder}/METADATA")[:12]
    base = line[1].decode("utf-8", "replace")
    version = _joined(base, segment)
    new = f"{project}-{_joined(old.rpartition('-')[2], segment)}"
    content = (
        metadata.content[: line.start()] + b"Version: " + version.encode() + line[2] + metadata.content[line.end() :]
    )
    kept = [
        member._replace(name=_renamed(member.name, old, new), content=content if member is metadata else member.content)
        for member in members
        if member.name not in {f"{folder}/RECORD", *(f"{folder}/{name}" for name in _SIGNATURES)}
    ]
    record = next((member for member in members if member.name == f"{folder}/RECORD"), None)
    if record is None:
        raise BadWheel(f'"{file_name}" has no RECORD')
    kept.append(record._replace(name=f"{new}.dist-info/RECORD", content=_record(kept, f"{new}.dist-info/RECORD")))
    return f"{name.project}-{_joined(name.version, segment)}{name.rest}", _packed(kept)


def _joined(base: str, segment: str) -> str:
    """A version with one more local segment; `b` in front keeps PEP 440 from reading hex digits as a number."""
    return f"{base}{'.' if '+' in base else '+'}{segment}"


def _header(metadata: bytes) -> bytes:
    """METADATA up to its first blank line: the description after it may say anything."""
    return re.split(rb"\r?\n\r?\n", metadata, maxsplit=1)[0]


def _content_digest(members: list[_Member], old: str, project: str, metadata: str) -> str:
    """SHA-256 over the sorted (name, SHA-256) pairs of all entries but RECORD, wherever the version is not counted."""
    pairs = []
    for member in members:
        if member.name == f"{old}.dist-info/RECORD" or member.info.is_dir():
            continue
        content = member.content
        if member.name == metadata:
            head = _header(content)
            content = _VERSION_LINE.sub(b"", head, count=1) + content[len(head) :]
        pairs.append([_renamed(member.name, old, project), sha256_hex(content)])
    return digest_document(sorted(pairs)).removeprefix("sha256:")


def _renamed(name: str, old: str, new: str) -> str:
    """The name of a member with another version in the two folders that carry it."""
    for ending in (".dist-info/", ".data/"):
        if name.startswith(old + ending):
            return new + name[len(old) :]
    return name


def _members(data: bytes) -> list[_Member]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _refuse_dangerous(infos)
            return [_Member(info.filename, archive.read(info), info) for info in infos]
    except BadWheel:
        raise
    except (*_UNREADABLE, zlib.error) as error:
        raise BadWheel(f"it is no readable archive: {error}") from error


def _refuse_dangerous(infos: list[zipfile.ZipInfo]) -> None:
    """An archive of the repository may be made to fill the memory, or to name what is not in it."""
    total = 0
    names: set[str] = set()
    for info in infos:
        parts = info.filename.rstrip("/").split("/")
        if any(part in ("", ".", "..") for part in parts) or "\\" in info.filename or "\0" in info.filename:
            raise BadWheel(f'it has a member named "{info.filename}"')
        if info.filename in names:
            raise BadWheel(f'it has the member "{info.filename}" twice')
        if (info.external_attr >> 16) & 0o170000 == _LINK:
            raise BadWheel(f'its member "{info.filename}" is a link')
        names.add(info.filename)
        total += info.file_size
        too_dense = info.file_size > _RATIO_FLOOR and info.file_size > _MOST_RATIO * max(1, info.compress_size)
        if total > _MOST_BYTES or too_dense:
            raise BadWheel(f'its member "{info.filename}" unpacks to {info.file_size} bytes')


def _info_folder(members: list[_Member]) -> str:
    folders = {member.name.partition("/")[0] for member in members if "/" in member.name}
    found = [folder for folder in folders if folder.endswith(".dist-info") and "-" in folder]
    if len(found) != 1:
        raise BadWheel("it has no .dist-info folder of its own")
    return found[0]


def _record(members: list[_Member], name: str) -> bytes:
    lines = []
    for member in members:
        if not member.info.is_dir():
            raw = binascii.unhexlify(sha256_hex(member.content))
            digest = base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
            lines.append(f"{_quoted(member.name)},sha256={digest},{len(member.content)}\n")
    return "".join([*lines, f"{_quoted(name)},,\n"]).encode("utf-8")


def _quoted(name: str) -> str:
    """A field of a comma-separated line."""
    return '"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"\r\n') else name


def _packed(members: list[_Member]) -> bytes:
    """An archive in which order, times and modes are those of the wheel it was made from."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name, member.info.date_time)
            info.external_attr = member.info.external_attr
            info.create_system = member.info.create_system
            info.compress_type = zipfile.ZIP_DEFLATED if member.content else zipfile.ZIP_STORED
            archive.writestr(info, member.content, compresslevel=6)
    return buffer.getvalue()
