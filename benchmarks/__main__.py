"""`python -m benchmarks` is the report: what `make bench` calls."""

import sys

from benchmarks.report import main

sys.exit(main())
