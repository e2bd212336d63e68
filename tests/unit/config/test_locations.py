"""`__locations`: which parts have one, in which order, and how files are named."""

from bundlectl.config.locations import locations_document
from tests.unit.config.bundles import bundle
from tests.unit.config.explaining import watched

FILES = {
    "etl/databricks.yml": bundle("""\
include: [r/*.yml, ../shared/*.yml]
targets:
  dev:
    resources:
      jobs:
        j:
          tasks:
            - task_key: a
              max_retries: 1
"""),
    "etl/r/j.yml": "resources:\n  jobs:\n    j:\n      tasks:\n        - task_key: b\n        - task_key: a\n",
    "shared/v.yml": "variables:\n  v:\n    default: 1\n",
}


def test_the_parts_of_a_bundle_with_the_place_that_counts_first() -> None:
    seen = watched(FILES, start="etl")
    assert seen is not None
    made = locations_document(seen.node, seen.facts.root)
    assert made["version"] == 1
    assert made["files"] == ["../shared/v.yml", "databricks.yml", "r/j.yml"]
    places = made["locations"]
    assert places["resources.jobs.j.tasks"] == [[2, 5, 9], [1, 9, 13]]
    assert places["resources.jobs.j.tasks[0]"] == [[2, 6, 11], [1, 9, 15]]
    assert places["resources.jobs.j.tasks[1]"] == [[2, 5, 11]]
    assert places["resources.jobs.j"][0] == [2, 4, 7]
    assert places["resources.jobs"][0] == [2, 3, 5] and places["resources"][0] == [2, 2, 3]
    assert places["variables"] == [[0, 2, 3]] and places["bundle"] == [[1, 1, 9]]


def test_what_no_file_wrote_has_no_place() -> None:
    seen = watched(bundle("resources: {jobs: {j: {}}}\n"))
    assert seen is not None
    places = locations_document(seen.node, "")["locations"]
    assert set(places) == {"bundle", "resources", "resources.jobs", "resources.jobs.j"}
