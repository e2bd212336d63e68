"""Random and time-ordered identifiers. Called for lineages, deployments and run requests."""

import secrets
import uuid


def random_id() -> str:
    """A random UUID (version 4), as text."""
    return str(uuid.uuid4())


def time_ordered_id(now_ms: int) -> str:
    """A UUID that sorts by time (layout of version 7, RFC 9562), as text; `now_ms` is epoch milliseconds."""
    value = (now_ms & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))
