"""Greets whoever the job parameter names."""

import sys

print(f"Hello, {sys.argv[1]}")
