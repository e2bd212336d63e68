"""Values of tasks: what one task hands on to the next."""

import json
import os
from typing import Any


def set_value(key: str, value: Any) -> None:
    """Hands a value to later tasks, which read it as {{tasks.<this task>.values.<key>}}."""
    channel = os.environ.get("BUNDLECTL_TASK_VALUES_OUT")
    if channel is None:  # run by hand, outside a job
        print(f"task value {key} = {value!r}")
        return
    with open(channel, "a", encoding="utf-8") as file:
        file.write(json.dumps({"key": key, "value": value}) + "\n")
