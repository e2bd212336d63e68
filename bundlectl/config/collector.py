"""Pauses the cyclic garbage collector while many objects are built.

Called by config.loader, config.cache and config.yaml_reader.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Bulk building makes many objects and no garbage: the collector would only look at them again and again.

    What was built is set aside for good: the first collection afterwards would walk through all of it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()
