"""The report: started by the job as an entry point of the wheel."""

import sys


def main() -> None:
    print(f"sold 3 on {sys.argv[1]}")
