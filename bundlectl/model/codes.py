"""Catalogue of diagnostic codes: code -> title and explanation. A code never changes its meaning and is never reused.

Read by `bundlectl explain` and by the generated reference. The texts lie in three files, by phase; who raises a code
writes its own message, this is the long form.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bundlectl.model.codes_meaning import MEANING
from bundlectl.model.codes_reading import READING, Code
from bundlectl.model.codes_working import WORKING

CODES: Mapping[str, Code] = MappingProxyType({**READING, **MEANING, **WORKING})

# First digit of a code -> what the family is about.
FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "0": "Command line",
        "1": "Reading YAML",
        "2": "Schema and meaning of a bundle",
        "3": "Planning and guards",
        "4": "Applying and recorded state",
        "5": "Running",
        "6": "Git, terminal and files",
        "7": "Backends and API",
    }
)
