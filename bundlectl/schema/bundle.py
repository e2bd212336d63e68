"""Models of a bundle file: root, targets, variables, workspace, artifacts, sync, presets, scripts.

Sections 3, 6, 7, 10, 12-15 of the bundle language. Jobs are in schema.job, our own block in schema.settings.
"""

from typing import Any, Literal

from bundlectl.schema.base import Model, optional, required
from bundlectl.schema.job import Job
from bundlectl.schema.settings import Block
from bundlectl.schema.triggers import PauseStatus


class GitInfo(Model):
    what = "bundle.git"
    branch: str | None = optional("Branch that may be deployed; the branch checked out if left out")
    origin_url: str | None = optional("Address of the repository; read from git if left out")
    commit: str | None = optional("Set by bundlectl", read_only=True)
    actual_branch: str | None = optional("Set by bundlectl", read_only=True)
    bundle_root_path: str | None = optional("Set by bundlectl", read_only=True)


class Lock(Model):
    what = "bundle.deployment.lock"
    enabled: bool | None = optional("Accepted; the state is always locked")
    force: bool | None = optional("Accepted; has no effect")


class DeploymentSettings(Model):
    what = "bundle.deployment"
    fail_on_active_runs: bool | None = optional("Whether a deploy refuses while a changed job has active runs")
    lock: Lock | None = optional("Accepted; the state is always locked")


class BundleInfo(Model):
    what = "bundle"
    name: str = required("Name of the bundle", unchecked=True)
    uuid: str | None = optional("Kept; has no effect")
    databricks_cli_version: str | None = optional("Versions of another tool; bundlectl.requires is ours")
    cluster_id: str | None = optional("Cluster that replaces the compute of tasks, for development")
    compute_id: str | None = optional("Deprecated: use cluster_id")
    engine: Literal["direct", "terraform"] | None = optional("Accepted; has no effect")
    git: GitInfo | None = optional("What is known of the repository")
    deployment: DeploymentSettings | None = optional("How deploys behave")
    target: str | None = optional("Set by bundlectl", read_only=True)
    environment: str | None = optional("Set by bundlectl", read_only=True)
    mode: str | None = optional("Set by bundlectl", read_only=True)
    force: Any = optional("Set by bundlectl", read_only=True)
    terraform: Any = optional("Set by bundlectl", read_only=True)


class Workspace(Model):
    what = "workspace"
    host: str | None = optional("Address of the workspace", known_as=("url",))
    profile: str | None = optional("Credential profile")
    auth_type: str | None = optional("Kind of login")
    client_id: str | None = optional("Client id of the login")
    google_service_account: str | None = optional("Service account of the login")
    azure_workspace_resource_id: str | None = optional("Azure resource id of the workspace")
    azure_use_msi: bool | None = optional("Whether the machine's managed identity logs in")
    azure_client_id: str | None = optional("Azure client id")
    azure_tenant_id: str | None = optional("Azure tenant id")
    azure_environment: str | None = optional("Azure environment")
    azure_login_app_id: str | None = optional("Azure application that is logged in to")
    account_id: str | None = optional("Account id")
    workspace_id: str | None = optional("Workspace id")
    experimental_is_unified_host: bool | None = optional("Whether the host serves several workspaces")
    root_path: str | None = optional("Folder of the deployment; ~/.bundle/<name>/<target> if left out")
    file_path: str | None = optional("Folder of the synced files")
    artifact_path: str | None = optional("Folder of built artifacts")
    state_path: str | None = optional("Folder named in jobs as the place of the state")
    resource_path: str | None = optional("Folder of resources that live in the workspace tree")
    current_user: Any = optional("Set by bundlectl", read_only=True)


class Lookup(Model):
    what = "a lookup"
    alert: str | None = optional("Name of an alert whose id is the value")
    cluster: str | None = optional("Name of a cluster whose id is the value")
    cluster_policy: str | None = optional("Name of a cluster policy whose id is the value")
    dashboard: str | None = optional("Name of a dashboard whose id is the value")
    instance_pool: str | None = optional("Name of an instance pool whose id is the value")
    job: str | None = optional("Name of a job whose id is the value")
    metastore: str | None = optional("Name of a metastore whose id is the value")
    notification_destination: str | None = optional("Name of a notification destination whose id is the value")
    pipeline: str | None = optional("Name of a pipeline whose id is the value")
    query: str | None = optional("Name of a query whose id is the value")
    service_principal: str | None = optional("Name of a service principal whose id is the value")
    warehouse: str | None = optional("Name of a SQL warehouse whose id is the value")


class Variable(Model):
    what = "a variable"
    type: str | None = optional("complex for a map or list")
    default: Any = optional("Value when nothing else gives one")
    description: str | None = optional("What the variable is for")
    lookup: Lookup | None = optional("Object whose id is the value")
    value: Any = optional("Set by bundlectl", read_only="a variable's value in a file is its default")


class ArtifactFile(Model):
    what = "a file of an artifact"
    source: str = required("File, or pattern of files, relative to this file")


class Artifact(Model):
    what = "an artifact"
    type: Literal["jar", "whl"] | None = optional("What is built")
    path: str | None = optional("Folder of the sources; the bundle root if left out")
    build: str | None = optional("Command that builds it; never run by validate or plan")
    files: list[ArtifactFile] | None = optional("Files that the build makes")
    executable: Literal["bash", "cmd", "sh"] | None = optional("Shell of the build command")
    dynamic_version: bool | None = optional("Whether the version of a wheel changes with its content")


class Sync(Model):
    what = "sync"
    paths: list[str] | None = optional("Folders whose files are synced; the bundle root if left out")
    include: list[str] | None = optional("Patterns that bring back ignored files")
    exclude: list[str] | None = optional("Patterns that leave files out")


class BundleRunAs(Model):
    what = "run_as"
    one_of = ("user_name", "service_principal_name")
    may_be_none = False
    one_of_code = "BND270"
    one_of_error = True
    user_name: str | None = optional("User whose rights runs have")
    service_principal_name: str | None = optional("Application id of the service principal whose rights runs have")


class BundlePermission(Model):
    what = "a permission"
    one_of = ("user_name", "group_name", "service_principal_name")
    may_be_none = False
    level: Literal["CAN_MANAGE", "CAN_RUN", "CAN_VIEW"] = required("What is allowed", code="BND271", error=True)
    user_name: str | None = optional("User who is allowed")
    group_name: str | None = optional("Group that is allowed")
    service_principal_name: str | None = optional("Application id of the service principal that is allowed")


class Presets(Model):
    what = "presets"
    name_prefix: str | None = optional("Put before the name of each job")
    tags: dict[str, str] | None = optional("Tags that each job gets")
    jobs_max_concurrent_runs: int | None = optional("max_concurrent_runs of jobs that set none", ge=0, le=1000)
    trigger_pause_status: PauseStatus | None = optional(
        "pause_status of schedules and triggers that set none", code="BND277", error=True
    )
    artifacts_dynamic_version: bool | None = optional("dynamic_version of wheels")
    pipelines_development: bool | None = optional("No effect on jobs")
    source_linked_deployment: bool | None = optional("No effect on jobs")


class Script(Model):
    what = "a script"
    content: str = required("Commands for bash")
    env: dict[str, str] | None = optional("Environment variables of the script")


class Python(Model):
    what = "python"
    resources: list[str] | None = optional("Functions that add jobs, package.module:function")
    mutators: list[str] | None = optional("Functions that change jobs, package.module:function")
    venv_path: str | None = optional("Virtual environment to use")


class Hooks(Model):
    what = "experimental.scripts"
    preinit: str | None = optional("Never run: reading a bundle runs nothing")
    postinit: str | None = optional("Never run: reading a bundle runs nothing")
    prebuild: str | None = optional("Run before artifacts are built, when allowed")
    postbuild: str | None = optional("Run after artifacts were built, when allowed")
    predeploy: str | None = optional("Run before a deploy, when allowed")
    postdeploy: str | None = optional("Run after a deploy, when allowed")


class Experimental(Model):
    what = "experimental"
    scripts: Hooks | None = optional("Commands around a deploy")
    python: Python | None = optional("Deprecated: use python at the top")
    python_wheel_wrapper: bool | None = optional("Accepted; has no effect")
    immutable_folder: bool | None = optional("Whether validate prints paths in the snapshot form")
    use_legacy_run_as: bool | None = optional("Accepted; has no effect")
    skip_artifact_cleanup: bool | None = optional("Accepted; has no effect")
    skip_name_prefix_for_schema: bool | None = optional("Accepted; has no effect")
    record_deployment_history: bool | None = optional("Accepted; has no effect")
    pydabs: Any = optional("Refused: use python at the top", refused="use python at the top", code="BND294")


class Resources(Model):
    what = "resources"
    jobs: dict[str, Job] | None = optional("Jobs, each under its key", known_as=("workflows",))


class Target(Model):
    what = "a target"
    default: bool | None = optional("Whether the target is chosen without -t")
    mode: Literal["development", "production"] | None = optional("development or production", code="BND223", error=True)
    presets: Presets | None = optional("Presets of this target")
    cluster_id: str | None = optional("Cluster that replaces the compute of tasks, for development")
    compute_id: str | None = optional("Deprecated: use cluster_id")
    bundle: BundleInfo | None = optional("Changes of bundle")
    workspace: Workspace | None = optional("Changes of workspace")
    artifacts: dict[str, Artifact] | None = optional("Changes of artifacts")
    resources: Resources | None = optional("Changes of resources")
    variables: dict[str, Any] | None = optional("Values of variables")
    git: GitInfo | None = optional("Changes of bundle.git")
    run_as: BundleRunAs | None = optional("Whose rights runs have")
    sync: Sync | None = optional("Additions to sync")
    permissions: list[BundlePermission] | None = optional("Additions to permissions")
    bundlectl: Block | None = optional("Settings of bundlectl for this target")


class BundleFile(Model):
    what = ""
    bundle: BundleInfo | None = optional("What the bundle is called and how it behaves")
    include: list[str] | None = optional(
        "Files that belong to the bundle, relative to its root", known_as=("includes",)
    )
    variables: dict[str, Variable] | None = optional("Variables, used as ${var.name}", known_as=("vars",))
    workspace: Workspace | None = optional("Connection and folders of the workspace")
    artifacts: dict[str, Artifact] | None = optional("What is built before a deploy")
    resources: Resources | None = optional("What the bundle deploys")
    targets: dict[str, Target] | None = optional("Destinations and what each changes")
    environments: dict[str, Target] | None = optional("Deprecated: use targets")
    sync: Sync | None = optional("Which files go with the jobs")
    run_as: BundleRunAs | None = optional("Whose rights runs have")
    presets: Presets | None = optional("Settings that every job gets")
    permissions: list[BundlePermission] | None = optional("Who may see, run and manage every job")
    scripts: dict[str, Script] | None = optional("Commands for bundlectl run")
    python: Python | None = optional("Python functions that add or change jobs; run only when allowed")
    experimental: Experimental | None = optional("Settings of an earlier form of the language")
    bundlectl: Block | None = optional("Settings of bundlectl")
