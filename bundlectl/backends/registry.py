"""Backend kinds: a literal table, then third-party entry points. Imports only the module that was chosen.

Called by cli.wiring. Adding a built-in backend is a line in BUILT_IN.
"""

from collections.abc import Callable, Mapping

from bundlectl.backends.base import Backend, BackendRequest
from bundlectl.base.suggest import nearest
from bundlectl.model.backend import Capabilities
from bundlectl.model.errors import InputError
from bundlectl.model.job import EXTENSION_FIELDS

ENTRY_POINTS = "bundlectl.backends"

# Task types that the embedded engine starts in this version.
ENGINE_TASKS = frozenset(
    {
        "condition_task",
        "for_each_task",
        "notebook_task",
        "python_operator_task",
        "python_wheel_task",
        "run_job_task",
        "shell_task",
        "spark_python_task",
        "sql_task",
    }
)


def open_backend(request: BackendRequest) -> Backend:
    """The backend of a target. Connects to nothing. Raises InputError for a kind that nobody provides."""
    opener = BUILT_IN.get(request.target.backend)
    return opener(request) if opener is not None else _open_plug_in(request)


def _open_local(request: BackendRequest) -> Backend:
    from bundlectl.backends.jobs_api.backend import JobsApiBackend
    from bundlectl.backends.jobs_api.transport import InProcessTransport

    return JobsApiBackend(
        InProcessTransport(request.open_engine()),
        Capabilities(kind="local", task_types=ENGINE_TASKS, extensions=_extensions("local"), fencing=True, hides=True),
        root_path=request.root_path,
        file_path=request.file_path,
    )


def _open_unavailable(request: BackendRequest) -> Backend:
    from bundlectl.backends.unavailable import UnavailableBackend

    kind = request.target.backend
    url = request.target.backend_options.get("url")
    return UnavailableBackend(
        Capabilities(kind=kind, deploys=False, extensions=_extensions(kind)),
        request.target.host if kind == "databricks" or not isinstance(url, str) else url,
    )


BUILT_IN: Mapping[str, Callable[[BackendRequest], Backend]] = {
    "local": _open_local,
    "databricks": _open_unavailable,
    "server": _open_unavailable,
    "airflow": _open_unavailable,
}


def _extensions(kind: str) -> frozenset[str]:
    return frozenset(field for field, kinds in EXTENSION_FIELDS.items() if kind in kinds)


def _open_plug_in(request: BackendRequest) -> Backend:
    # Costs 40 ms, and only whoever asks for a plug-in pays it.
    from importlib.metadata import entry_points

    kind = request.target.backend
    offered = entry_points(group=ENTRY_POINTS)
    names = sorted({*BUILT_IN, *offered.names})
    if kind not in offered.names:
        near = nearest(kind, names)
        raise InputError(
            f'target "{request.target.name}" asks for backend "{kind}", which is not known',
            code="BND206",
            detail="known here: " + ", ".join(names),
            hint=f'did you mean "{near}"?' if near else f'a plug-in offers it as entry point "{ENTRY_POINTS}"',
        )
    try:
        opener: Callable[[BackendRequest], Backend] = offered[kind].load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f'the plug-in for backend "{kind}" cannot be loaded', code="BND206", detail=str(error)
        ) from error
    return opener(request)
