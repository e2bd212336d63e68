"""Models of the task types, without the task around them and without for_each_task (schema.job).

Field table 20.3 of the bundle language; what a type does when it runs is said by the engine.
"""

from typing import Literal

from bundlectl.schema.base import Model, optional, required

Source = Literal["GIT", "WORKSPACE"]
SOURCE = "Where the file is: WORKSPACE, or GIT for the job's git_source"
WAREHOUSE = "SQL warehouse that runs it"


class Notebook(Model):
    what = "notebook_task"
    notebook_path: str = required("Notebook: a path relative to this file, or an absolute workspace path")
    base_parameters: dict[str, str] | None = optional("Parameters, read as widgets; job parameters win over them")
    source: Source | None = optional(SOURCE)
    warehouse_id: str | None = optional("SQL warehouse that runs a notebook of SQL cells only")


class SparkPython(Model):
    what = "spark_python_task"
    python_file: str = required("Python file: a path relative to this file, or a workspace or cloud path")
    parameters: list[str] | None = optional("Command line arguments")
    source: Source | None = optional(SOURCE)


class PythonWheel(Model):
    what = "python_wheel_task"
    package_name: str = required("Distribution that holds the entry point")
    entry_point: str = required("Entry point in the package's metadata, else a function of the package")
    parameters: list[str] | None = optional("Command line arguments")
    named_parameters: dict[str, str] | None = optional("Arguments passed as --name=value")


class SparkJar(Model):
    what = "spark_jar_task"
    main_class_name: str | None = optional("Class whose main method runs")
    jar_uri: str | None = optional("Deprecated: put the JAR into libraries")
    parameters: list[str] | None = optional("Arguments of the main method")
    run_as_repl: bool | None = optional("Deprecated: has no effect")


class SparkSubmit(Model):
    what = "spark_submit_task"
    parameters: list[str] | None = optional("Arguments of spark-submit")


class SqlFile(Model):
    what = "the file of a sql_task"
    path: str = required("SQL file: a path relative to this file, or an absolute workspace path")
    source: Source | None = optional(SOURCE)


class SqlQuery(Model):
    what = "the query of a sql_task"
    query_id: str = required("Id of the saved query")


class Subscriber(Model):
    what = "a subscriber"
    user_name: str | None = optional("User that is notified")
    destination_id: str | None = optional("Notification destination that is notified")


class SqlAlert(Model):
    what = "the alert of a sql_task"
    alert_id: str = required("Id of the alert")
    pause_subscriptions: bool | None = optional("Whether nobody is notified")
    subscriptions: list[Subscriber] | None = optional("Who is notified")


class SqlDashboard(Model):
    what = "the dashboard of a sql_task"
    dashboard_id: str = required("Id of the dashboard")
    custom_subject: str | None = optional("Subject of the mail to subscribers")
    pause_subscriptions: bool | None = optional("Whether nobody is notified")
    subscriptions: list[Subscriber] | None = optional("Who gets the dashboard")


class Sql(Model):
    what = "sql_task"
    one_of = ("file", "query", "alert", "dashboard")
    may_be_none = False
    warehouse_id: str = required(WAREHOUSE)
    parameters: dict[str, str] | None = optional("Parameters of the statements, written :name in SQL")
    file: SqlFile | None = optional("Statements from a file")
    query: SqlQuery | None = optional("A saved query")
    alert: SqlAlert | None = optional("An alert to evaluate")
    dashboard: SqlDashboard | None = optional("A dashboard to refresh")


class Dbt(Model):
    what = "dbt_task"
    commands: list[str] = required("dbt commands, run in order", min_length=1, max_length=10)
    project_directory: str | None = optional("Folder of the dbt project: relative to this file, or a workspace path")
    profiles_directory: str | None = optional("Folder that holds profiles.yml; only without warehouse_id")
    catalog: str | None = optional("Catalog that models are built in")
    schema_: str | None = optional("Schema that models are built in", alias="schema")
    warehouse_id: str | None = optional(WAREHOUSE)
    source: Source | None = optional(SOURCE)


class PipelineParams(Model):
    what = "pipeline_params"
    full_refresh: bool | None = optional("Whether all tables are built anew")
    full_refresh_selection: list[str] | None = optional("Tables that are built anew")
    refresh_selection: list[str] | None = optional("Tables that are refreshed")
    refresh_flow_selection: list[str] | None = optional("Flows that are refreshed")
    reset_checkpoint_selection: list[str] | None = optional("Flows whose checkpoints are dropped")


class RunJob(Model):
    what = "run_job_task"
    job_id: int = required("Id of the job to run, for a job of this bundle ${resources.jobs.<key>.id}")
    job_parameters: dict[str, str] | None = optional("Parameters of the started run")
    notebook_params: dict[str, str] | None = optional("Parameters for notebook tasks of the started run")
    python_params: list[str] | None = optional("Arguments for Python tasks of the started run")
    python_named_params: dict[str, str] | None = optional("Named arguments for wheel tasks of the started run")
    jar_params: list[str] | None = optional("Arguments for JAR tasks of the started run")
    sql_params: dict[str, str] | None = optional("Parameters for SQL tasks of the started run")
    dbt_commands: list[str] | None = optional("Commands for dbt tasks of the started run")
    spark_submit_params: list[str] | None = optional("Arguments for spark-submit tasks of the started run")
    pipeline_params: PipelineParams | None = optional("Settings for pipeline tasks of the started run")


class Condition(Model):
    what = "condition_task"
    left: str = required("Left side; usually a reference such as {{tasks.t.values.v}}")
    op: Literal["EQUAL_TO", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL", "NOT_EQUAL"] = (
        required("How the sides are compared")
    )
    right: str = required("Right side")


class Pipeline(Model):
    what = "pipeline_task"
    pipeline_id: str = required("Id of the pipeline")
    full_refresh: bool | None = optional("Whether all tables are built anew")
    full_refresh_selection: list[str] | None = optional("Tables that are built anew")
    refresh_selection: list[str] | None = optional("Tables that are refreshed")
    refresh_flow_selection: list[str] | None = optional("Flows that are refreshed")
    reset_checkpoint_selection: list[str] | None = optional("Flows whose checkpoints are dropped")
    parameters: dict[str, str] | None = optional("Parameters of the update")


class OperatorParameter(Model):
    what = "a parameter of a python_operator_task"
    name: str | None = optional("Name of the argument")
    value: str | None = optional("Value of the argument")


class PythonOperator(Model):
    what = "python_operator_task"
    main: str | None = optional("Function or class to call, package.module.name")
    parameters: list[OperatorParameter] | None = optional("Arguments of the call")


class Accelerators(Model):
    what = "the compute of a deployment"
    accelerator_type: Literal["GPU_1xA10", "GPU_1xH100", "GPU_8xB300", "GPU_8xH100"] = required("Kind of accelerator")
    accelerator_count: int = required("Number of accelerators")
    provisioned_capacity_id: str | None = optional("Reserved capacity to use")


class RuntimeDeployment(Model):
    what = "a deployment of an ai_runtime_task"
    compute: Accelerators = required("What each node has")
    command_path: str = required("Script that each node runs")
    name: str | None = optional("Name of the group of nodes")


class AiRuntime(Model):
    what = "ai_runtime_task"
    experiment: str = required("Experiment that runs are logged to")
    deployments: list[RuntimeDeployment] = required("Groups of nodes, each with its script")
    code_source_path: str | None = optional("Archive with the code")
    docker_image_url: str | None = optional("Image to run")
    unity_catalog_image_path: str | None = optional("Image in Unity Catalog")
    mlflow_artifact_location: str | None = optional("Where artifacts of the experiment are kept")
    mlflow_experiment_directory: str | None = optional("Folder of the experiment")
    mlflow_run: str | None = optional("Name of the MLflow run")
    priority_class: Literal["BEST_EFFORT", "NORMAL"] | None = optional("Priority among other work")


class GpuCompute(Model):
    what = "the compute of a gen_ai_compute_task"
    num_gpus: int = required("Number of GPUs")
    gpu_type: str | None = optional("Kind of GPU")
    gpu_node_pool_id: str | None = optional("Pool that nodes come from")


class GenAiCompute(Model):
    what = "gen_ai_compute_task"
    dl_runtime_image: str = required("Runtime image")
    command: str | None = optional("Command that starts the script")
    compute: GpuCompute | None = optional("GPUs to use")
    training_script_path: str | None = optional("Script to run")
    yaml_parameters: str | None = optional("Parameters of the script, as YAML text")
    yaml_parameters_file_path: str | None = optional("File with the parameters of the script")
    mlflow_experiment_name: str | None = optional("Experiment that runs are logged to")
    source: Source | None = optional(SOURCE)


class QualifiedName(Model):
    what = "the output of an ai_function_task"
    catalog: str | None = optional("Catalog of the table")
    schema_: str | None = optional("Schema of the table", alias="schema")
    table: str | None = optional("Name of the table")


class Label(Model):
    what = "a label"
    name: str = required("The label")
    description: str | None = optional("What belongs under the label")


class InlineLabels(Model):
    what = "inline_labels"
    labels: list[Label] = required("Labels to choose from")


class AiClassify(Model):
    what = "ai_classify"
    version: str = required("Version of the function")
    inline_labels: InlineLabels | None = optional("Labels to choose from")
    instructions: str | None = optional("What to look for")
    multilabel: bool | None = optional("Whether several labels may fit")
    enable_confidence_scores: bool | None = optional("Whether the answer says how sure it is")
    enable_rationales: bool | None = optional("Whether the answer gives reasons")


class AiExtract(Model):
    what = "ai_extract"
    version: str = required("Version of the function")
    schema_: str | None = optional("What to extract, as a JSON Schema", alias="schema")
    instructions: str | None = optional("What to look for")
    mode: Literal["MODE_PRECISION"] | None = optional("How careful the function is")
    enable_citations: bool | None = optional("Whether the answer says where it was found")
    enable_confidence_scores: bool | None = optional("Whether the answer says how sure it is")


class AiParseDocument(Model):
    what = "ai_parse_document"
    version: str = required("Version of the function")
    description_element_types: (
        list[Literal["DESCRIPTION_ELEMENT_TYPE_ALL", "DESCRIPTION_ELEMENT_TYPE_FIGURE"]] | None
    ) = optional("Elements that get a description")
    image_output_path: str | None = optional("Where images of pages are kept")
    page_range: str | None = optional("Pages to read")


class DeltaSource(Model):
    what = "delta_table"
    table_name: str = required("Table that is read")
    input_column: str = required("Column that is read")
    merge_key_columns: list[str] | None = optional("Columns that identify a row of the output")


class VolumeSource(Model):
    what = "volume"
    volume_path: str = required("Folder whose files are read")


class AiFunction(Model):
    what = "ai_function_task"
    output: QualifiedName = required("Table that gets the answers")
    ai_classify: AiClassify | None = optional("Sorts each input under labels")
    ai_extract: AiExtract | None = optional("Extracts values from each input")
    ai_parse_document: AiParseDocument | None = optional("Reads documents")
    delta_table: DeltaSource | None = optional("Input from a table")
    volume: VolumeSource | None = optional("Input from files")


class AttachedWidget(Model):
    what = "a widget of an attachment"
    page_id: str = required("Page of the widget")
    widget_id: str = required("The widget")


class DataAttachment(Model):
    what = "data_attachment"
    widgets: list[AttachedWidget] = required("Widgets whose data is attached")
    file_format: Literal["FILE_FORMAT_CSV", "FILE_FORMAT_EXCEL", "FILE_FORMAT_TSV"] = required("Format of the file")
    include_applied_filters: bool | None = optional("Whether the filters are listed")


class PageAttachment(Model):
    what = "page_attachment"
    page_ids: list[str] | None = optional("Pages that are attached")
    page_selection: Literal["PAGE_SELECTION_ALL", "PAGE_SELECTION_SUBSET"] | None = optional("All pages, or page_ids")


class Attachment(Model):
    what = "attachment"
    data_attachment: DataAttachment | None = optional("Data of widgets as a file")
    page_attachment: PageAttachment | None = optional("Pages as a picture")


class Subscription(Model):
    what = "the subscription of a dashboard_task"
    custom_subject: str | None = optional("Subject of the mail")
    paused: bool | None = optional("Whether nothing is sent")
    subscribers: list[Subscriber] | None = optional("Who gets the dashboard")
    attachment: Attachment | None = optional("What is attached to the mail")


class Dashboard(Model):
    what = "dashboard_task"
    dashboard_id: str | None = optional("Id of the dashboard to refresh")
    warehouse_id: str | None = optional(WAREHOUSE)
    filters: dict[str, str] | None = optional("Values of the dashboard's filters")
    subscription: Subscription | None = optional("Who gets the refreshed dashboard")


class Alert(Model):
    what = "alert_task"
    alert_id: str | None = optional("Id of the alert to evaluate")
    workspace_path: str | None = optional("File of the alert: relative to this file, or a workspace path")
    warehouse_id: str | None = optional(WAREHOUSE)
    parameters: dict[str, str] | None = optional("Parameters of the alert's query")
    subscribers: list[Subscriber] | None = optional("Who is notified")


StorageMode = Literal["DIRECT_QUERY", "DUAL", "IMPORT"]


class PowerBiModel(Model):
    what = "power_bi_model"
    workspace_name: str | None = optional("Power BI workspace")
    model_name: str | None = optional("Semantic model")
    storage_mode: StorageMode | None = optional("How the model holds its data")
    authentication_method: Literal["OAUTH", "PAT"] | None = optional("How Power BI logs in")
    overwrite_existing: bool | None = optional("Whether an existing model is overwritten")


class PowerBiTable(Model):
    what = "a Power BI table"
    catalog: str | None = optional("Catalog of the table")
    schema_: str | None = optional("Schema of the table", alias="schema")
    name: str | None = optional("Name of the table")
    storage_mode: StorageMode | None = optional("How the table holds its data")


class PowerBi(Model):
    what = "power_bi_task"
    connection_resource_name: str | None = optional("Connection to Power BI")
    warehouse_id: str | None = optional(WAREHOUSE)
    refresh_after_update: bool | None = optional("Whether the model is refreshed afterwards")
    power_bi_model: PowerBiModel | None = optional("The semantic model")
    tables: list[PowerBiTable] | None = optional("Tables that are published")


class CleanRoomsNotebook(Model):
    what = "clean_rooms_notebook_task"
    clean_room_name: str = required("The clean room")
    notebook_name: str = required("Notebook in the clean room")
    etag: str | None = optional("Version of the notebook that must still be the current one")
    notebook_base_parameters: dict[str, str] | None = optional("Parameters of the notebook")


class DbtCloud(Model):
    what = "dbt_cloud_task"
    connection_resource_name: str | None = optional("Connection to dbt Cloud")
    dbt_cloud_job_id: int | None = optional("Job in dbt Cloud")


class DbtPlatform(Model):
    what = "dbt_platform_task"
    connection_resource_name: str | None = optional("Connection to the dbt platform")
    dbt_platform_job_id: str | None = optional("Job on the dbt platform")


class Shell(Model):
    what = "shell_task"
    command: str | list[str] = required(
        "What to run: a list is run directly, text by /bin/sh; references {{...}} only in a list", min_length=1
    )
    working_directory: str | None = optional("Folder below the root of the snapshot; the root if left out")
