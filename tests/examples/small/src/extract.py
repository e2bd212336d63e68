import json
import os
import sys

print("extracting", sys.argv[1])
with open(os.environ["BUNDLECTL_TASK_VALUES_OUT"], "a", encoding="utf-8") as values:
    values.write(json.dumps({"key": "rows", "value": 3}) + "\n")
