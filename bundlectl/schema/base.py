"""What every model of the bundle language is made of: the base class and the two ways to declare a field.

Used by the model modules beside it. A field is declared in one line, with its description and its limits, so that the
models are the only table of fields; schema.derive reads them, nothing else needs to know pydantic.
"""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A map with known keys. The class variables say what messages and checks need beyond the fields."""

    model_config = ConfigDict(
        defer_build=True, extra="forbid", populate_by_name=True, protected_namespaces=(), hide_input_in_errors=True
    )

    what: ClassVar[str] = ""  # "a task": follows 'unknown field "x" in'
    one_of: ClassVar[tuple[str, ...]] = ()  # of these keys one is set; several are a finding
    may_be_none: ClassVar[bool] = True  # False: none of one_of is a finding too
    one_of_code: ClassVar[str] = "BND210"
    one_of_error: ClassVar[bool] = False  # class E instead of P


def required(description: str, **rules: Any) -> Any:
    """A key that must be set. `rules` as in `optional`."""
    return _field(..., description, rules)


def optional(description: str, **rules: Any) -> Any:
    """A key that may be left out.

    `rules` are pydantic's ge, le, min_length, max_length, pattern and alias, and our own: `code` and `error` (code and
    class of a finding when they are not the usual ones), `max_bytes`, `form` (duration, name, git_provider), `key`
    (natural key of a list), `unique` (a key may not be there twice; lists that are merged by key are checked when they
    are merged), `known_as` (other names that people write), `read_only` (set by the tool; a text is the hint),
    `refused` (why it may not be used), `unchecked` (another check says that it is missing).
    """
    return _field(None, description, rules)


_PYDANTIC = frozenset({"ge", "le", "min_length", "max_length", "pattern", "alias"})


def _field(default: Any, description: str, rules: dict[str, Any]) -> Any:
    own = {name: value for name, value in rules.items() if name not in _PYDANTIC}
    limits = {name: value for name, value in rules.items() if name in _PYDANTIC}
    return Field(default, description=description, json_schema_extra=own or None, **limits)
