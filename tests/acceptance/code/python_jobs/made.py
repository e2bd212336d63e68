from dataclasses import replace

from databricks.bundles.core import Bundle, Resources, Variable, job_mutator, variables
from databricks.bundles.jobs import Job


@variables
class Given:
    regions: Variable[list[str]]


def load_resources(bundle: Bundle) -> Resources:
    resources = Resources()
    for region in bundle.resolve_variable_list(Given.regions):
        resources.add_resource(f"load_{region}", load_job(region))
    return resources


def load_job(region: str) -> Job:
    task = {"task_key": "load", "spark_python_task": {"python_file": "src/load.py", "parameters": [region]}}
    return Job.from_dict({"name": f"load {region}", "tasks": [task]})


@job_mutator
def add_owner(job: Job) -> Job:
    return replace(job, tags={"owner": "data"})
