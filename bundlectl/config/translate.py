"""Paths of jobs: seen from the bundle root (stage 11), then as workspace paths (stage 15).

Config language 12. Called by config.loader. What stands at a path is asked of config.tree_view, never of the disk.
"""

import posixpath
import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from bundlectl.base.suggest import nearest
from bundlectl.config import job_paths
from bundlectl.config.code_files import CodeFiles
from bundlectl.config.discovery import not_regular
from bundlectl.config.facts import Facts, Findings, Outcome
from bundlectl.config.findings import did_you_mean, error, plan_error
from bundlectl.config.job_paths import DEPENDENCY, DIRECTORY, LIBRARY, NOTEBOOK, REQUIREMENTS, PathUse, map_paths
from bundlectl.config.jobs import each_job
from bundlectl.config.node import Node
from bundlectl.config.sync import check, is_device_name, rules
from bundlectl.config.tree_view import NOTEBOOK_EXTENSIONS, below, folder_of, join, leaves, relative_to
from bundlectl.config.workspace import code_folder
from bundlectl.model.diagnostic import Diagnostic
from bundlectl.model.location import path_text

_BAD_SIGN = re.compile("[\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def to_bundle_root(node: Node, facts: Facts) -> Outcome:
    """Relative paths of jobs as seen from the bundle root; faulty ones stay for `translate` to report."""
    known: dict[tuple[str, str, str], str | None] = {}  # many jobs name the same files
    wanted: set[str] = set()

    def visit(use: PathUse) -> Node:
        node = use.node
        folder = folder_of(node.file)
        key = (node.value, use.kind, folder)
        if key not in known:
            known[key] = _rewritten(node.value, use.kind, lambda text: from_root(text, folder, facts.root))
            wanted.add(join(facts.root, known[key] or node.value))
        text = known[key]
        return node if text is None or text == node.value else node.with_value(text)

    node = each_job(node, lambda key, job: map_paths(job, ("resources", "jobs", key), visit))
    facts.view.prefetch(sorted(path for path in wanted if path in facts.view.entries))
    return node, []


def _rewritten(text: str, kind: str, change: Callable[[str], str]) -> str | None:
    """The text with its local path changed; None when it names nothing local."""
    if job_paths.is_open(text) or bad_form(text) is not None:
        return None
    if kind == DEPENDENCY:
        flagged = job_paths.requirement_flag(text)
        if flagged is not None:
            return f"{flagged[0]} {change(flagged[1])}"
        if not job_paths.is_local_library(text):
            return None
        changed = change(text)
        return changed if changed.startswith(".") else "./" + changed
    return None if job_paths.is_remote(text) else change(text)


def from_root(text: str, folder: str, root: str) -> str:
    """A path written in a file of `folder`, as seen from `root`."""
    path = join(folder, text)
    if leaves(path):
        return "../" * (root.count("/") + 1 if root else 0) + path
    return relative_to(path, root)


def bad_form(text: str) -> tuple[str, str] | None:
    """Why a text can be no path of a bundle, and what to do; None when it can be one."""
    if _DRIVE.match(text) or text.startswith("\\\\"):
        return f'"{text}" is a Windows path', "write it relative to the file, with /"
    bad = _BAD_SIGN.search(text)
    if bad is not None:
        return f"character U+{ord(bad[0]):04X} is not allowed in a path", "remove it"
    if "\\" in text:
        return f'"{text}" has a backslash', "write / between folders"
    if is_device_name(text):
        return f'"{text}" is a Windows device name', "rename the file"
    return None


class Code(NamedTuple):
    """The synced files and where they will be."""

    files: CodeFiles
    file_path: str


def learn_code(node: Node, facts: Facts) -> tuple[Facts, Findings]:
    """Which files are synced, and what is to be said about the sync rules."""
    wanted = rules(node, facts.sync_root)
    code = facts.code
    if code is None or not code.is_for(facts.view, wanted, facts.files):
        code = CodeFiles(facts.view, wanted, facts.files)
    return replace(facts, code=code), check(node, facts, code)


def translate(node: Node, facts: Facts) -> Outcome:
    """Paths of jobs as workspace paths, each checked."""
    found: Findings = []
    assert facts.code is not None
    translator = _Translator(facts, Code(facts.code, code_folder(node)), found)

    def change(key: str, job: Node) -> Node:
        return map_paths(job, ("resources", "jobs", key), lambda use: translator.visit(use, job))

    return each_job(node, change), found


class _Translator:
    """Answers are kept by path and kind: many jobs name the same files."""

    def __init__(self, facts: Facts, code: Code, found: Findings) -> None:
        self._facts = facts
        self._view = facts.view
        self._code = code
        self._found = found
        self._known: dict[tuple[str, str], str | Diagnostic] = {}
        self._quiet: dict[tuple[str, str], str | None] = {}  # text and kind -> result, when there was nothing to say

    def visit(self, use: PathUse, job: Node) -> Node:
        node = use.node
        key = (node.value, use.kind)
        if key in self._quiet:
            text = self._quiet[key]
        else:
            before = len(self._found)
            text = self._translated(use, job)
            if len(self._found) == before:
                self._quiet[key] = text
        return node if text is None or text == node.value else node.with_value(text)

    def _translated(self, use: PathUse, job: Node) -> str | None:
        text = use.node.value
        bad = bad_form(text) if not job_paths.is_open(text) else None
        foreign = use.kind == DEPENDENCY and not job_paths.is_local_library(text)
        remote = job_paths.is_remote(text) and not _DRIVE.match(text)
        if bad is not None and not foreign and not remote:
            self._found.append(error("BND284", bad[0], use.node.span, path=use.path, hint=bad[1]))
            return None
        return _rewritten(text, use.kind, lambda path: self._target(path, use, job))

    def _target(self, text: str, use: PathUse, job: Node) -> str:
        path = join(self._facts.root, text)
        if leaves(path) or not below(path, self._facts.sync_root):
            summary = f'"{posixpath.normpath(text)}" is not contained in the sync root'
            hint = "add its folder to sync.paths"
            self._found.append(error("BND282", summary, use.node.span, path=use.path, hint=hint))
            return text
        relative = relative_to(path, self._facts.sync_root)
        flagged = use.kind == DEPENDENCY and job_paths.requirement_flag(use.node.value) is not None
        if use.kind == LIBRARY or (use.kind == DEPENDENCY and not flagged):
            return relative
        kind = REQUIREMENTS if flagged else use.kind
        answer = self._known.get((path, kind))
        if answer is None:
            answer = self._known[path, kind] = self._checked(path, relative, kind)
        if isinstance(answer, Diagnostic):
            fault = replace(answer, path=path_text(use.path), spans=(use.node.span,))
            self._found.append(self._other_base(fault, path, use, job))
            return text if answer.code != "BND286" else self._placed(relative, kind)
        return answer

    def _placed(self, relative: str, kind: str) -> str:
        if kind == NOTEBOOK and not relative.lower().endswith(".designer.ipynb"):
            relative = posixpath.splitext(relative)[0]
        return self._code.file_path if relative == "." else f"{self._code.file_path}/{relative}"

    def _checked(self, path: str, relative: str, kind: str) -> str | Diagnostic:
        """The workspace path, or what is wrong with the path."""
        what = kind if kind in (NOTEBOOK, DIRECTORY) else "file"
        at = self._view.find(path)
        if at.kind == "missing":
            return self._missing(path, what)
        if kind == DIRECTORY:
            if at.kind != "directory":
                return error(
                    "BND288", not_regular(path, at) if at.kind != "file" else f'"{path}" is a file, not a directory'
                )
            if not self._code.files.holds_folder(path):
                return plan_error("BND286", f'"{path}" is not synced', hint="bring it back with sync.include")
            return self._placed(relative, kind)
        if at.kind == "directory" and kind == REQUIREMENTS:
            return self._placed(relative, kind)  # pip install -e of a folder
        if at.kind != "file":
            return error("BND288", not_regular(path, at))
        if self._view.is_lfs_pointer(at.path):
            hint = "Git LFS content is not fetched when the file is read from a commit"
            return error("BND288", f'"{path}" is a Git LFS pointer', hint=hint)
        fault = self._wrong_kind(path, at.path, kind)
        if fault is not None:
            return fault
        if path not in self._code.files:
            summary = f'"{path}" is not synced: {self._code.files.why_not(path)}'
            return plan_error("BND286", summary, hint=f"bring it back: sync: {{include: [{relative}]}}")
        return self._placed(relative, kind)

    def _wrong_kind(self, path: str, real: str, kind: str) -> Diagnostic | None:
        if kind == NOTEBOOK and not self._view.is_notebook(real):
            hint = 'make its first line "# Databricks notebook source" (// in Scala, -- in SQL)'
            if real.lower().endswith(".ipynb"):
                hint = "save it with Jupyter, in format 4 or later"
            return error("BND281", f'"{path}" is a file, not a notebook', hint=hint)
        if kind == job_paths.FILE and self._view.is_notebook(real):
            return error(
                "BND281", f'"{path}" is a notebook, not a file', hint="use notebook_task, or remove the first line"
            )
        return None

    def _missing(self, path: str, what: str) -> Diagnostic:
        similar = self._view.similar(path)
        if similar is not None:
            if similar.lower() == path.lower():
                return error("BND287", f'the file is named "{similar}"', detail=f'"{path}" differs by case')
            detail = f'the file is named "{similar}", with accents as signs of their own or the other way'
            return error("BND287", "the file name has another Unicode form", detail=detail)
        view = self._view
        if not view.tree.revision.working_tree and view.tree.exists_in_working_tree(path):
            summary = f'"{path}" exists in the working tree but not in {view.tree.label}'
            return error("BND285", summary, hint=f'commit it: git add "{path}" && git commit')
        near = None
        if what == NOTEBOOK:
            near = next((path + end for end in NOTEBOOK_EXTENSIONS if path + end in view.entries), None)
        if near is None:
            folder = folder_of(path)
            near = nearest(path, (name for name in view.entries if folder_of(name) == folder))
        return error("BND280", f'{what} "{path}" not found', detail=did_you_mean(near))

    def _other_base(self, fault: Diagnostic, path: str, use: PathUse, job: Node) -> Diagnostic:
        """For a path that would exist relative to the file of the job itself."""
        here, there = folder_of(use.node.span.file), folder_of(job.span.file)
        if fault.code != "BND280" or here == there or not job.span.file:
            return fault
        written = relative_to(path, here)
        candidate = join(there, written)
        if self._view.find(candidate).kind == "missing" or leaves(candidate):
            return fault
        summary = f'"{written}" is relative to {here or "."}/, not to the file that defines the job'
        right = relative_to(candidate, here)
        return replace(fault, code="BND283", summary=summary, detail=None, hint=f'write "{right}"')
