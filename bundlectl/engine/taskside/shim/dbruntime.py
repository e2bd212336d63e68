"""What `from databricks.sdk.runtime import dbutils` looks for: on PYTHONPATH of every task (jobs.md 3.9).

Imported by user code, or by the SDK for it, in any interpreter. Holds no logic: that is in engine.taskside.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.abspath(os.path.join(_HERE, *[os.pardir] * 4))
sys.path.insert(0, _ROOT)
try:
    import bundlectl.engine.taskside  # noqa: F401
finally:
    sys.path.remove(_ROOT)

# Tasks write no bytecode next to the user's code; ours is compiled once, else every start compiles it again.
_keep = sys.dont_write_bytecode
sys.dont_write_bytecode = False
from bundlectl.engine.taskside.namespace import UserNamespaceInitializer  # noqa: E402

sys.dont_write_bytecode = _keep

__all__ = ["UserNamespaceInitializer"]
