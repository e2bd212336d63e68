"""Figures of the engine as text that monitoring systems read.

Reached from workspace_routes. Names and counts only: nothing that a user wrote.
"""

from bundlectl.engine.api.request import Request

_FIGURES = (
    ("bundlectl_jobs", "gauge", "Jobs that are stored", "SELECT '', count(*) FROM jobs"),
    (
        "bundlectl_runs_open",
        "gauge",
        "Runs that wait or are under way, by state",
        "SELECT state, count(*) FROM runs WHERE ended = 0 GROUP BY state ORDER BY state",
    ),
    (
        "bundlectl_attempts_open",
        "gauge",
        "Attempts of tasks that are under way, by state",
        "SELECT state, count(*) FROM attempts WHERE ended = 0 AND run_id IN (SELECT id FROM runs WHERE ended = 0)"
        " GROUP BY state ORDER BY state",
    ),
    (
        "bundlectl_attempts_lost_total",
        "counter",
        "Attempts whose end nobody recorded",
        "SELECT '', count(*) FROM attempts WHERE lost = 1",
    ),
)


def metrics(request: Request) -> str:
    lines = []
    with request.services.store.read() as connection:
        for name, kind, text, sql in _FIGURES:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            for state, count in connection.execute(sql):
                label = f'{{state="{state}"}}' if state else ""
                lines.append(f"{name}{label} {count}")
    return "\n".join(lines) + "\n"
