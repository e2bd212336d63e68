"""First file of a task process of ours: makes engine.taskside importable in any interpreter, then runs the launcher.

Started as a script with the path of the task's description. Puts nothing of bundlectl's environment on the search path
of user code: the folder above the package is there only while the (empty) packages are imported.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))
import bundlectl.engine.taskside  # noqa: E402, F401

del sys.path[0]

# Tasks write no bytecode next to the user's code; ours is compiled once, else every start compiles it again.
_keep = sys.dont_write_bytecode
sys.dont_write_bytecode = False
from bundlectl.engine.taskside.launcher import main  # noqa: E402

sys.dont_write_bytecode = _keep

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
