"""Models of what a task runs on: clusters, libraries, environments.

Read by schema.job; field tables 20.1 and 20.5 of the bundle language.
"""

from typing import Literal

from bundlectl.schema.base import Model, optional, required

SecurityMode = Literal[
    "DATA_SECURITY_MODE_AUTO",
    "DATA_SECURITY_MODE_DEDICATED",
    "DATA_SECURITY_MODE_STANDARD",
    "LEGACY_PASSTHROUGH",
    "LEGACY_SINGLE_USER",
    "LEGACY_SINGLE_USER_STANDARD",
    "LEGACY_TABLE_ACL",
    "NONE",
    "SINGLE_USER",
    "USER_ISOLATION",
]
DependencyMode = Literal["DEPENDENCY_MODE_AUTO", "DEPENDENCY_MODE_CLUSTER_LIBRARIES", "DEPENDENCY_MODE_ENVIRONMENTS"]


class Autoscale(Model):
    what = "autoscale"
    min_workers: int | None = optional("Workers that stay up when there is nothing to do")
    max_workers: int | None = optional("Workers that the cluster may grow to")


class AwsAttributes(Model):
    what = "aws_attributes"
    availability: Literal["ON_DEMAND", "SPOT", "SPOT_WITH_FALLBACK"] | None = optional("Which instances are bought")
    first_on_demand: int | None = optional("How many nodes, the driver first, are bought on demand")
    zone_id: str | None = optional("Availability zone, or auto")
    instance_profile_arn: str | None = optional("Instance profile that the nodes get")
    spot_bid_price_percent: int | None = optional("Highest spot price, in percent of the on-demand price")
    ebs_volume_type: Literal["GENERAL_PURPOSE_SSD", "THROUGHPUT_OPTIMIZED_HDD"] | None = optional("Kind of EBS volume")
    ebs_volume_count: int | None = optional("EBS volumes of each instance")
    ebs_volume_size: int | None = optional("Size of each EBS volume, in GiB")
    ebs_volume_iops: int | None = optional("Operations per second of each EBS volume")
    ebs_volume_throughput: int | None = optional("Throughput of each EBS volume, in MiB per second")


class LogAnalytics(Model):
    what = "log_analytics_info"
    log_analytics_primary_key: str | None = optional("Primary key of the Log Analytics workspace")
    log_analytics_workspace_id: str | None = optional("Id of the Log Analytics workspace")


class AzureAttributes(Model):
    what = "azure_attributes"
    availability: Literal["ON_DEMAND_AZURE", "SPOT_AZURE", "SPOT_WITH_FALLBACK_AZURE"] | None = optional(
        "Which instances are bought"
    )
    first_on_demand: int | None = optional("How many nodes, the driver first, are bought on demand")
    spot_bid_max_price: float | None = optional("Highest spot price; -1 for the on-demand price")
    capacity_reservation_group: str | None = optional("Capacity reservation group that nodes are taken from")
    log_analytics_info: LogAnalytics | None = optional("Where the cluster sends its metrics")


class GcpAttributes(Model):
    what = "gcp_attributes"
    availability: Literal["ON_DEMAND_GCP", "PREEMPTIBLE_GCP", "PREEMPTIBLE_WITH_FALLBACK_GCP"] | None = optional(
        "Which instances are bought"
    )
    first_on_demand: int | None = optional("How many nodes, the driver first, are bought on demand")
    boot_disk_size: int | None = optional("Size of the boot disk, in GB")
    local_ssd_count: int | None = optional("Local SSDs of each node")
    zone_id: str | None = optional("Zone, HA or AUTO")
    google_service_account: str | None = optional("Service account that the nodes get")
    use_preemptible_executors: bool | None = optional("Whether executors are preemptible; use availability instead")
    confidential_compute_type: Literal["CONFIDENTIAL_COMPUTE_TYPE_NONE", "SEV_SNP"] | None = optional(
        "Confidential computing of the nodes"
    )


class Destination(Model):
    what = "a location"
    destination: str = required("Path or address of the file or folder")


class S3Destination(Model):
    what = "an S3 location"
    destination: str = required("Address of the file or folder, s3://bucket/key")
    region: str | None = optional("Region of the bucket")
    endpoint: str | None = optional("Endpoint to use instead of the region's")
    enable_encryption: bool | None = optional("Whether objects are encrypted on the server")
    encryption_type: str | None = optional("Kind of encryption, sse-s3 or sse-kms")
    kms_key: str | None = optional("Key for sse-kms")
    canned_acl: str | None = optional("Canned access control list of what is written")


class ClusterLogs(Model):
    what = "cluster_log_conf"
    one_of = ("dbfs", "volumes", "s3")
    dbfs: Destination | None = optional("Logs go to DBFS")
    volumes: Destination | None = optional("Logs go to a volume")
    s3: S3Destination | None = optional("Logs go to S3")


class InitScript(Model):
    what = "an init script"
    one_of = ("workspace", "volumes", "file", "dbfs", "gcs", "abfss", "s3")
    may_be_none = False
    workspace: Destination | None = optional("Script in the workspace")
    volumes: Destination | None = optional("Script in a volume")
    file: Destination | None = optional("Script on the node's own disk")
    dbfs: Destination | None = optional("Script in DBFS")
    gcs: Destination | None = optional("Script in Google Cloud Storage")
    abfss: Destination | None = optional("Script in Azure Data Lake Storage")
    s3: S3Destination | None = optional("Script in S3")


class BasicAuth(Model):
    what = "basic_auth"
    username: str | None = optional("User name at the registry")
    password: str | None = optional("Password at the registry; name a secret, never the password itself")


class DockerImage(Model):
    what = "docker_image"
    url: str | None = optional("Image to run")
    basic_auth: BasicAuth | None = optional("Login at the image's registry")


class Clients(Model):
    what = "clients"
    jobs: bool | None = optional("Whether jobs may use the cluster")
    notebooks: bool | None = optional("Whether notebooks may use the cluster")


class WorkloadType(Model):
    what = "workload_type"
    clients: Clients = required("Who may use the cluster")


class NodeTypes(Model):
    what = "a node type flexibility"
    alternate_node_type_ids: list[str] | None = optional("Node types to take when the first choice is not to be had")


class NewCluster(Model):
    what = "a cluster"
    spark_version: str | None = optional("Runtime version; quote it, 15.40 is a number")
    node_type_id: str | None = optional("Node type of workers, and of the driver unless it has its own")
    driver_node_type_id: str | None = optional("Node type of the driver")
    num_workers: int | None = optional("Number of workers; 0 for a single-node cluster")
    autoscale: Autoscale | None = optional("Limits between which the number of workers moves")
    cluster_name: str | None = optional("Name of the cluster")
    policy_id: str | None = optional("Cluster policy that applies")
    instance_pool_id: str | None = optional("Pool that workers come from")
    driver_instance_pool_id: str | None = optional("Pool that the driver comes from")
    single_user_name: str | None = optional("User for whom a single-user cluster runs")
    autotermination_minutes: int | None = optional("Idle minutes after which the cluster ends")
    remote_disk_throughput: int | None = optional("Throughput of remote disks, in MiB per second")
    total_initial_remote_disk_size: int | None = optional("Size of remote disks at the start, in GiB")
    apply_policy_default_values: bool | None = optional("Whether unset fields take the policy's defaults")
    enable_elastic_disk: bool | None = optional("Whether disks grow on demand")
    enable_local_disk_encryption: bool | None = optional("Whether local disks are encrypted")
    is_single_node: bool | None = optional("Whether driver and worker are one node")
    use_ml_runtime: bool | None = optional("Whether the runtime for machine learning is used")
    spark_conf: dict[str, str] | None = optional("Spark settings")
    spark_env_vars: dict[str, str] | None = optional("Environment variables of driver and workers")
    custom_tags: dict[str, str] | None = optional("Tags of the cloud resources")
    ssh_public_keys: list[str] | None = optional("Keys that may log in to the nodes", max_length=10)
    data_security_mode: SecurityMode | None = optional("How users are kept apart from each other")
    runtime_engine: Literal["NULL", "PHOTON", "STANDARD"] | None = optional("Engine of the runtime")
    kind: Literal["CLASSIC_PREVIEW"] | None = optional("Kind of compute")
    dependency_mode: DependencyMode | None = optional("Where Python dependencies come from")
    aws_attributes: AwsAttributes | None = optional("Settings for AWS")
    azure_attributes: AzureAttributes | None = optional("Settings for Azure")
    gcp_attributes: GcpAttributes | None = optional("Settings for Google Cloud")
    cluster_log_conf: ClusterLogs | None = optional("Where logs of the cluster are kept")
    init_scripts: list[InitScript] | None = optional("Scripts that each node runs when it starts")
    docker_image: DockerImage | None = optional("Image to use instead of the runtime")
    workload_type: WorkloadType | None = optional("What the cluster may be used for")
    driver_node_type_flexibility: NodeTypes | None = optional("Other node types for the driver")
    worker_node_type_flexibility: NodeTypes | None = optional("Other node types for workers")


class PypiLibrary(Model):
    what = "a PyPI library"
    package: str = required("Requirement as pip writes it, for example pandas==2.3.1")
    repo: str | None = optional("Package index to use instead of the default one")


class MavenLibrary(Model):
    what = "a Maven library"
    coordinates: str = required("Coordinates, group:artifact:version")
    repo: str | None = optional("Repository to use instead of the default ones")
    exclusions: list[str] | None = optional("Dependencies that are left out, group:artifact")


class CranLibrary(Model):
    what = "a CRAN library"
    package: str = required("Name of the R package")
    repo: str | None = optional("Repository to use instead of the default one")


class Library(Model):
    what = "a library"
    one_of = ("whl", "jar", "egg", "requirements", "pypi", "maven", "cran")
    may_be_none = False
    whl: str | None = optional("Wheel: a local path or pattern, or a workspace, volume or cloud path")
    jar: str | None = optional("JAR file: a local path or pattern, or a workspace, volume or cloud path")
    egg: str | None = optional("Egg file; no longer supported by current runtimes")
    requirements: str | None = optional("requirements.txt file: a local path, or a workspace or volume path")
    pypi: PypiLibrary | None = optional("Package from PyPI")
    maven: MavenLibrary | None = optional("Package from Maven")
    cran: CranLibrary | None = optional("Package from CRAN")


class ServerlessPolicy(Model):
    what = "serverless_compute"
    policy_id: str | None = optional("Policy of the serverless compute")


class JobCluster(Model):
    what = "a job cluster"
    job_cluster_key: str = required("Name of the cluster inside the job; tasks refer to it")
    new_cluster: NewCluster | None = optional("The cluster that is started for a run")
    serverless_compute_id: str | None = optional("Serverless compute to use")
    serverless_compute: ServerlessPolicy | None = optional("Settings of serverless compute")


class EnvironmentSpec(Model):
    what = "the spec of an environment"
    client: str | None = optional("Version of the environment; environment_version is the newer name")
    environment_version: str | None = optional("Version of the environment")
    base_environment: str | None = optional("Environment that this one builds on: a file or an id")
    project_environment: str | None = optional("Project file that describes the environment")
    dependencies: list[str] | None = optional("Requirements as pip writes them, local wheels, -r and -e with a path")
    java_dependencies: list[str] | None = optional("Java dependencies")


class Environment(Model):
    what = "an environment"
    environment_key: str = required("Name of the environment inside the job; tasks refer to it")
    spec: EnvironmentSpec | None = optional("What the environment holds")


class EnvironmentVariablesSpec(Model):
    what = "the spec of environment variables"
    files: list[str] | None = optional("Files with lines KEY=VALUE; a later file wins", max_length=5)
    variables: dict[str, str] | None = optional("Variables and their values; these win over files")


class EnvironmentVariables(Model):
    what = "a set of environment variables"
    environment_variables_key: str = required("Name of the set inside the job; tasks refer to it")
    spec: EnvironmentVariablesSpec | None = optional("The variables")


class TaskCompute(Model):
    what = "the compute of a task"
    hardware_accelerator: Literal["GPU_1xA10", "GPU_8xH100"] | None = optional("Accelerator of serverless compute")
