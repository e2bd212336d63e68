"""Leaves the published model alone and writes down why the new one was not good enough."""

import sys

from pipeline import run_folder


def main(folder, accuracy, wanted):
    note = run_folder(folder) / "HELD_BACK.md"
    note.write_text(
        f"# Held back\n\nThe model of this run reached an accuracy of {accuracy}; {wanted} is wanted.\n"
        "The model that was published before stays.\n",
        encoding="utf-8",
    )
    print(f"accuracy {accuracy} is below {wanted}: held back, see {note}")


if __name__ == "__main__":
    main(*sys.argv[1:])
