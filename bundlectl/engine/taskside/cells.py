"""Notebook files as cells: source format (.py, .sql) and .ipynb. Reads files, runs nothing.

Used by engine.taskside.notebook and child, inside the task process.
"""

import json
import os
from typing import Any, NamedTuple

ENDINGS = ("", ".py", ".ipynb", ".sql")
_LANGUAGES = {"python", "sql", "sh", "md", "run", "pip", "scala", "r", "fs"}
# Per file ending: comment sign, language of a plain cell.
_SOURCES = {".py": ("#", "python"), ".sql": ("--", "sql")}


class Cell(NamedTuple):
    """One cell to run."""

    language: str  # python, sql, sh, md, run, pip, or another one that is refused
    text: str
    options: str  # what follows the language in the first line: `-e` of %sh, the path of %run
    line: int  # of its first line in the file, from 1; 1 in an .ipynb
    file: str  # for tracebacks
    number: int = 0  # in an .ipynb, from 1; 0 in source files


class NotNotebook(Exception):
    """A file that is no notebook."""


def find_notebook(path: str, folder: str) -> str:
    """The file that `path` names, relative to `folder`, as it is or with an ending. Raises FileNotFoundError."""
    place = os.path.normpath(os.path.join(folder, path))
    for ending in ENDINGS:
        if os.path.isfile(place + ending):
            return place + ending
    raise FileNotFoundError(f'There is no notebook "{path}" (looked for {place}, also with .py, .ipynb and .sql)')


def read_cells(path: str) -> list[Cell]:
    """The cells of a notebook, in order. Raises NotNotebook, OSError."""
    ending = os.path.splitext(path)[1].lower()
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    if ending == ".ipynb":
        return _jupyter_cells(path, text)
    if ending not in _SOURCES:
        raise NotNotebook(f'"{path}" is no notebook that this engine runs')
    sign, language = _SOURCES[ending]
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != f"{sign} Databricks notebook source":
        raise NotNotebook(
            f'"{path}" is a file, not a notebook: its first line is not "{sign} Databricks notebook source"'
        )
    cells = []
    start = 1
    for index in range(1, len(lines) + 1):
        if index == len(lines) or lines[index].rstrip() == f"{sign} COMMAND ----------":
            cells.append(_source_cell(path, lines[start:index], start + 1, sign, language))
            start = index + 1
    return [cell for cell in cells if cell.text.strip() or cell.options]


def _source_cell(path: str, lines: list[str], line: int, sign: str, language: str) -> Cell:
    """Lines of one cell, as many as in the file, so that line numbers of errors are those of the file."""
    magic = f"{sign} MAGIC"
    code = [""] * len(lines)
    options = ""
    decided = False
    for index, text in enumerate(lines):
        if text.startswith(magic):
            plain = text[len(magic) :].removeprefix(" ")
            name, _, rest = plain.removeprefix("%").partition(" ")
            if not decided and plain.startswith("%") and name in _LANGUAGES:
                language, decided = name, True
                options, code[index] = _first_line(name, rest)
            else:
                code[index] = plain
        elif text.startswith(f"{sign} DBTITLE "):
            continue
        else:
            code[index] = text
        decided = decided or bool(code[index].strip())
    return Cell(language, "\n".join(code), options, line, path)


def _jupyter_cells(path: str, text: str) -> list[Cell]:
    try:
        document = json.loads(text)
        cells = list(document["cells"])
    except (ValueError, KeyError, TypeError):
        raise NotNotebook(f'"{path}" is not a notebook in the format of Jupyter') from None
    language = _jupyter_language(document.get("metadata") or {})
    found = []
    for number, cell in enumerate(cells, 1):
        if cell.get("cell_type") != "code":
            continue
        source = cell.get("source") or ""
        body = source if isinstance(source, str) else "".join(source)
        kind, options, body = _cell_magic(body, language)
        if body.strip() or options:
            found.append(Cell(kind, body, options, 1, f"{path}:cell {number}", number))
    return found


def _jupyter_language(metadata: dict[str, Any]) -> str:
    own = metadata.get("application/vnd.databricks.v1+notebook") or {}
    kernel = metadata.get("kernelspec") or {}
    return str(own.get("language") or kernel.get("language") or "python").lower()


def _cell_magic(body: str, language: str) -> tuple[str, str, str]:
    """Language, options and rest of a cell whose first line may be `%sql` or `%%bash`; that line becomes empty."""
    lead = len(body) - len(body.lstrip("\n"))
    first, newline, rest = body[lead:].partition("\n")
    if not first.startswith("%"):
        return language, "", body
    name, _, options = first.lstrip("%").partition(" ")
    name = {"bash": "sh", "markdown": "md"}.get(name, name)
    if name not in _LANGUAGES or (name in ("run", "pip") and rest.strip()):
        return language, "", body  # a line magic among code
    options, first = _first_line(name, options)
    return name, options, "\n" * lead + first + newline + rest


def _first_line(language: str, rest: str) -> tuple[str, str]:
    """What follows a magic in its line, as options and as text of the cell."""
    if language in ("run", "pip"):
        return rest.strip(), ""
    if language == "sh" and rest.split()[:1] == ["-e"]:
        return "-e", rest.strip()[2:].lstrip()
    return "", rest
