"""Backend kinds: a literal table, then third-party entry points. Imports only the module that was chosen.

Called by cli.wiring. Adding a built-in backend is a line in BUILT_IN.
"""

from collections.abc import Callable, Mapping

from bundlectl.backends.base import Backend, BackendRequest
from bundlectl.base.clock import SystemClock
from bundlectl.base.suggest import nearest
from bundlectl.model.backend import Capabilities
from bundlectl.model.errors import InputError
from bundlectl.model.job import EXTENSION_FIELDS

ENTRY_POINTS = "bundlectl.backends"

_ON_THIS_MACHINE = "local"
_CONNECTIONS = 32  # of backends.jobs_api.http: more changes at once would wait for each other

# Task types that the embedded engine starts in this version.
ENGINE_TASKS = frozenset(
    {
        "ai_runtime_task",
        "condition_task",
        "for_each_task",
        "gen_ai_compute_task",
        "notebook_task",
        "python_operator_task",
        "python_wheel_task",
        "run_job_task",
        "shell_task",
        "spark_jar_task",
        "spark_python_task",
        "spark_submit_task",
        "sql_task",
    }
)


def open_backend(request: BackendRequest) -> Backend:
    """The backend of a target. Connects to nothing. Raises InputError for a kind that nobody provides."""
    opener = BUILT_IN.get(request.target.backend, _open_plug_in)
    backend = opener(request)
    if not request.offline or request.target.backend == _ON_THIS_MACHINE:
        return backend
    from bundlectl.backends.unavailable import UnavailableBackend

    return UnavailableBackend(backend.capabilities, _place(request), offline=True)


def _open_local(request: BackendRequest) -> Backend:
    from bundlectl.backends.jobs_api.backend import JobsApiBackend
    from bundlectl.backends.jobs_api.transport import InProcessTransport

    return JobsApiBackend(
        InProcessTransport(request.open_engine()),
        Capabilities(kind="local", task_types=ENGINE_TASKS, extensions=_extensions("local"), fencing=True, hides=True),
        root_path=request.root_path,
        file_path=request.file_path,
    )


def _open_server(request: BackendRequest) -> Backend:
    from bundlectl.backends.jobs_api.backend import JobsApiBackend
    from bundlectl.backends.jobs_api.transport import DeferredTransport, Transport

    url = request.target.backend_options.get("url")
    wanted = url if isinstance(url, str) else request.target.host

    def connect() -> Transport:
        from bundlectl.backends.jobs_api.remote import open_remote

        where = f"bundlectl.backend.url of target {request.target.name}"
        return open_remote(request.environment, wanted, where=where, clock=SystemClock())

    return JobsApiBackend(
        DeferredTransport(connect),
        Capabilities(
            kind="server",
            task_types=ENGINE_TASKS,
            extensions=_extensions("server"),
            fencing=True,
            hides=True,
            parallel=_CONNECTIONS,
        ),
        root_path=request.root_path,
        file_path=request.file_path,
        remote=True,
    )


def _open_databricks(request: BackendRequest) -> Backend:
    from bundlectl.backends.jobs_api.databricks import DatabricksBackend
    from bundlectl.backends.jobs_api.transport import DeferredTransport, Transport

    def connect() -> Transport:
        from bundlectl.backends.jobs_api.remote import open_remote

        where = f"workspace.host of target {request.target.name}"
        return open_remote(request.environment, request.target.host, where=where, clock=SystemClock())

    return DatabricksBackend(
        DeferredTransport(connect),
        Capabilities(kind="databricks", extensions=_extensions("databricks"), parallel=_CONNECTIONS),
        root_path=request.root_path,
        file_path=request.file_path,
        artifact_path=request.artifact_path,
    )


def _open_unavailable(request: BackendRequest) -> Backend:
    from bundlectl.backends.unavailable import UnavailableBackend

    kind = request.target.backend
    return UnavailableBackend(Capabilities(kind=kind, deploys=False, extensions=_extensions(kind)), _place(request))


def _place(request: BackendRequest) -> str | None:
    """Where the backend is, as the bundle says."""
    url = request.target.backend_options.get("url")
    named = isinstance(url, str) and request.target.backend != "databricks"
    return str(url) if named else request.target.host


BUILT_IN: Mapping[str, Callable[[BackendRequest], Backend]] = {
    "local": _open_local,
    "databricks": _open_databricks,
    "server": _open_server,
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
