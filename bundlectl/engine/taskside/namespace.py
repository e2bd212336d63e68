"""The objects that a notebook finds ready-made: dbutils, spark, display. One set per process.

Used by engine.taskside.launcher and, through the module `dbruntime`, by `from databricks.sdk.runtime import dbutils`.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from bundlectl.engine.taskside.dbutils import DbUtils


class UserNamespaceInitializer:
    """The name and the two methods that the SDK looks for."""

    _only: "UserNamespaceInitializer | None" = None

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.dbutils = DbUtils(environment)
        self.spark = _spark()

    @classmethod
    def getOrCreate(cls) -> "UserNamespaceInitializer":  # noqa: N802 - the name is the SDK's
        """The one of this process."""
        if cls._only is None:
            cls._only = cls(os.environ)
        return cls._only

    def get_namespace_globals(self) -> dict[str, Any]:
        """What a notebook's globals start with."""
        return {"dbutils": self.dbutils, "spark": self.spark, "display": display}


def display(value: Any = None, *_: Any, **__: Any) -> None:
    """Prints a value, a table as a table."""
    shown = getattr(value, "show", None)
    if shown is not None and type(value).__module__.startswith(("pyspark.", "duckdb", "_duckdb")):
        shown()
    else:
        print(value)


class LazySpark:
    """Starts Spark when something of it is used: tasks that do not use it do not wait for a JVM."""

    def __getattr__(self, name: str) -> Any:
        import importlib

        return getattr(importlib.import_module("pyspark.sql").SparkSession.builder.getOrCreate(), name)


def _spark() -> LazySpark | None:
    for folder in sys.path:
        if os.path.isfile(os.path.join(folder or ".", "pyspark", "__init__.py")):
            return LazySpark()
    return None
