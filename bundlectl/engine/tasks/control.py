"""Condition tasks, decided inside the scheduler without a process (jobs.md 3.5). Pure."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bundlectl.engine.tasks.base import INVALID_RUN_CONFIGURATION, SetupFailed
from bundlectl.engine.values import text_of

_TEXT: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "EQUAL_TO": lambda left, right: left == right,
    "NOT_EQUAL": lambda left, right: left != right,
}
_NUMBERS: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "GREATER_THAN": lambda left, right: left > right,
    "GREATER_THAN_OR_EQUAL": lambda left, right: left >= right,
    "LESS_THAN": lambda left, right: left < right,
    "LESS_THAN_OR_EQUAL": lambda left, right: left <= right,
}
OPERATORS: Final = frozenset({*_TEXT, *_NUMBERS})


def evaluate_condition(op: str, left: Any, right: Any) -> str:
    """The outcome, "true" or "false", of resolved operands. Equality compares text, order compares decimal numbers.

    Raises SetupFailed for an operand that is a list, an object, or no number where one is needed.
    """
    texts = [operand_text(left, "left"), operand_text(right, "right")]
    if op in _TEXT:
        return str(_TEXT[op](*texts)).lower()
    if op not in _NUMBERS:
        raise SetupFailed(
            INVALID_RUN_CONFIGURATION, f'The operator "{op}" is unknown; known are {", ".join(sorted(OPERATORS))}'
        )
    return str(_NUMBERS[op](_number(texts[0], op, "left"), _number(texts[1], op, "right"))).lower()


def operand_text(value: Any, side: str) -> str:
    """An operand as the text that is compared and shown. Raises SetupFailed for a list or an object."""
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        raise SetupFailed(
            INVALID_RUN_CONFIGURATION, f"The {side} operand is {kind}; a condition compares single values"
        )
    return text_of(value)


def _number(text: str, op: str, side: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise SetupFailed(
            INVALID_RUN_CONFIGURATION, f'The {side} operand "{text}" is not a number, and {op} compares numbers'
        )
    return number
