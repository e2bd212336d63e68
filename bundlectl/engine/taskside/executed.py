"""Runs inside the task process: the executed copy of a Jupyter notebook, with what each cell printed or raised.

Made by engine.taskside.launcher for the notebook of a task; the copy is an output of the attempt, so it is kept and has
a digest. Written after every cell: a notebook that is stopped leaves what ran. What processes of a cell print goes to
the log only.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

LIMIT = 5 * 1024 * 1024  # characters of all cells; the log has the rest


class Executed:
    """The copy of one notebook. Cells are numbered from 1, text cells included."""

    def __init__(self, path: str, target: str) -> None:
        with open(path, encoding="utf-8-sig") as file:
            self._document: dict[str, Any] = json.load(file)
        self._target = target
        self._left = LIMIT
        self._count = 0
        for cell in self._document["cells"]:
            if cell.get("cell_type") == "code":
                cell["outputs"] = []
                cell["execution_count"] = None

    @contextmanager
    def cell(self, number: int) -> Iterator[None]:
        """Keeps what is printed and raised inside. Passes on whatever is raised."""
        cell = self._document["cells"][number - 1]
        self._count += 1
        cell["execution_count"] = self._count
        before = sys.stdout, sys.stderr
        sys.stdout = _Tee(before[0], "stdout", cell["outputs"], self)
        sys.stderr = _Tee(before[1], "stderr", cell["outputs"], self)
        try:
            yield
        except SystemExit:
            raise
        except BaseException as error:
            import traceback  # costly, and most cells raise nothing

            shown = traceback.format_exception_only(error)
            cell["outputs"].append(
                {
                    "output_type": "error",
                    "ename": type(error).__name__,
                    "evalue": str(error),
                    "traceback": [line.rstrip("\n") for line in shown],
                }
            )
            raise
        finally:
            sys.stdout, sys.stderr = before
            self._save()

    def take(self, outputs: list[dict[str, Any]], name: str, text: str) -> None:
        """Adds what was printed to the outputs of a cell, as far as there is room."""
        if self._left <= 0 or not text:
            return
        kept = text[: self._left]
        self._left -= len(kept)
        if not self._left:
            kept += "\n[more is in the log]\n"
        last = outputs[-1] if outputs else None
        if last is None or last.get("name") != name:
            last = {"output_type": "stream", "name": name, "text": []}
            outputs.append(last)
        last["text"].append(kept)

    def _save(self) -> None:
        """A disk that is full costs the copy, not the task."""
        temporary = f"{self._target}.part"
        try:
            with open(temporary, "w", encoding="utf-8", errors="backslashreplace") as file:
                json.dump(_joined(self._document), file, ensure_ascii=False, indent=1)
                file.write("\n")
            os.replace(temporary, self._target)
        except OSError as error:
            print(f"(the executed notebook could not be saved: {error.strerror})", file=sys.stderr)


def _joined(document: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the pieces of each stream as lines, as Jupyter writes them."""
    cells = []
    for cell in document["cells"]:
        if cell.get("outputs"):
            outputs = [
                {**output, "text": "".join(output["text"]).splitlines(keepends=True)} if "text" in output else output
                for output in cell["outputs"]
            ]
            cells.append({**cell, "outputs": outputs})
        else:
            cells.append(cell)
    return {**document, "cells": cells}


class _Tee:
    """A standard stream whose text is kept too; everything else is the stream's own."""

    def __init__(self, stream: TextIO, name: str, outputs: list[dict[str, Any]], executed: Executed) -> None:
        self._stream = stream
        self._name = name
        self._outputs = outputs
        self._executed = executed

    def write(self, text: str) -> int:
        """As of a text stream."""
        written = self._stream.write(text)
        self._executed.take(self._outputs, self._name, text)
        return written

    def writelines(self, lines: list[str]) -> None:
        """As of a text stream."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
