"""Why a process of an attempt could not be started, as termination code and message. Called by engine.worker. Pure."""

import errno
from collections.abc import Sequence


def why_not_started(argv: Sequence[str], error: OSError | ValueError) -> dict[str, str]:
    """Code and message for a command that the system refused."""
    program = argv[0] if argv else ""
    code, text = "INTERNAL_ERROR", f'command "{program}" could not be started: {error}'
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        missing = error.filename if error.filename and error.filename != program else None
        code, text = "RESOURCE_NOT_FOUND", f'"{missing}" does not exist' if missing else f'no command "{program}"'
    elif isinstance(error, PermissionError):
        code, text = "RESOURCE_NOT_FOUND", f'command "{program}" may not be executed'
    elif isinstance(error, ValueError) or error.errno in (errno.E2BIG, errno.ENOEXEC):
        code = "INVALID_RUN_CONFIGURATION"
    return {"code": code, "message": text}
