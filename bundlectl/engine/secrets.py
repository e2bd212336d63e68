"""What of the engine's own environment reaches a task, and secret references in the environment of a task.

Called by engine.attempt at launch. The environment of a task is an allow-list (security.md S31): the server's token and
deploy credentials are never in it. There is no secret provider yet: a reference is refused, never passed on as text.
"""

import os
import re
from collections.abc import Mapping
from typing import Final

_ALLOWED: Final = frozenset(
    [
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "PATH",
        "TMPDIR",
        "TMP",
        "TEMP",
        "TZ",
        "TERM",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LC_COLLATE",
        "LC_CTYPE",
        "LC_MESSAGES",
        "LC_MONETARY",
        "LC_NUMERIC",
        "LC_TIME",
        "JAVA_HOME",
        "SPARK_HOME",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
    ]
)
_SECRET: Final = re.compile(r"\{\{\s*secrets/([^/{}\s]+)/([^/{}\s]+)\s*\}\}")


def host_environment() -> Mapping[str, str]:
    """The environment of this process; what of it a task sees is decided by `allowed`."""
    return os.environ  # noqa: TID251 - engine.secrets is one of the readers that architecture.md section 3 lists


def allowed(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a task may see."""
    return {name: environment[name] for name in _ALLOWED if name in environment}


def secret_references(text: str) -> list[str]:
    """`scope/key` of each secret that a text refers to."""
    return [f"{match[1]}/{match[2]}" for match in _SECRET.finditer(text)]


def installer(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: what tasks see, and the invoker's settings of pip (which index, which proxy)."""
    return allowed(environment) | {name: value for name, value in environment.items() if name.startswith("PIP_")}
