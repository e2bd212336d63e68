"""Field tables from the pydantic models: the bridge between schema.bundle and config.structure.

Called by schema.export, which keeps the answer in a file (schema.table_file): reading a bundle loads no models. Looks
at the declared fields only, so no validator is built.
"""

import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from bundlectl.schema.base import Model
from bundlectl.schema.bundle import BundleFile, Resources
from bundlectl.schema.job import Job
from bundlectl.schema.kinds import UNMANAGED_KINDS
from bundlectl.schema.settings import Block, JobBlock
from bundlectl.schema.table import Entry, Kind, Limits, Table, Tables

_SCALARS: Mapping[Any, Kind] = {str: Kind.TEXT, bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT}
_LIMIT_NAMES = {"ge": "least", "le": "most", "min_length": "min_length", "max_length": "max_length"}


def tables() -> Tables:
    """The field tables of the language. Costs some milliseconds: keep the answer."""
    derivation = _Derivation()
    return Tables(derivation.table(BundleFile, strict=False), derivation.table(Job, strict=False))


class _Derivation:
    """One pass over the models. A model inside a job or a `bundlectl` block is strict about unknown keys."""

    def __init__(self) -> None:
        self._made: dict[tuple[type[Model], bool, bool], Table] = {}

    def table(self, model: type[Model], *, strict: bool, in_job: bool = False) -> Table:
        in_job = (in_job or model is Job) and model is not JobBlock
        strict = strict or in_job or model in (Block, JobBlock)
        known = self._made.get((model, strict, in_job))
        if known is not None:
            return known
        table = self._made[model, strict, in_job] = Table(model.__name__, model.what, strict=strict)
        table.keeps_unknown = in_job
        hints = _hints(model)
        must_have, required = [], []
        for attribute, info in model.model_fields.items():
            name = info.alias or attribute
            extra: dict[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            table.fields[name] = self._field(hints[attribute], info, extra, strict, in_job)
            table.known_as.update(dict.fromkeys(extra.get("known_as", ()), name))
            if info.is_required():
                must_have.append(name)
                if not extra.get("unchecked"):
                    required.append(name)
        table.must_have, table.required = tuple(must_have), tuple(required)
        table.one_of, table.may_be_none = model.one_of, model.may_be_none
        table.one_of_code, table.one_of_error = model.one_of_code, model.one_of_error
        if model is Resources:
            text = "Kept and printed; not managed by bundlectl"
            table.fields.update({kind: Entry(Kind.ANY, description=text) for kind in UNMANAGED_KINDS})
        return table

    def _field(self, hint: Any, info: FieldInfo, extra: Mapping[str, Any], strict: bool, in_job: bool) -> Entry:
        limits: dict[str, Any] = {}
        for constraint in info.metadata:
            for theirs, ours in _LIMIT_NAMES.items():
                value = getattr(constraint, theirs, None)
                if value is not None:
                    limits[ours] = value
            pattern = getattr(constraint, "pattern", None)
            if pattern is not None:
                limits["pattern"] = pattern
        limits.update({name: extra[name] for name in ("max_bytes", "form", "code") if name in extra})
        read_only = "read_only" in extra
        remedy = extra.get("read_only")
        limits["error"] = bool(extra.get("error")) and not read_only
        about = {
            "key": extra.get("key"),
            "unique": bool(extra.get("unique")),
            "read_only": read_only,
            "read_only_hint": remedy if isinstance(remedy, str) else None,
            "read_only_error": read_only and bool(extra.get("error")),
            "refused": (extra["code"], extra["refused"]) if "refused" in extra else None,
            "description": info.description or "",
        }
        return self._entry(hint, limits, about, strict, in_job)

    def _entry(self, hint: Any, limits: dict[str, Any], about: Mapping[str, Any], strict: bool, in_job: bool) -> Entry:
        origin, arguments = get_origin(hint), get_args(hint)
        if hint is Any:
            return Entry(Kind.ANY, **about)
        if origin in (Union, types.UnionType):
            kinds = [kind for kind in arguments if kind is not type(None)]
            if set(kinds) == set(_SCALARS):
                return Entry(Kind.SCALAR, **about)
            if len(kinds) == 1:
                return self._entry(kinds[0], limits, about, strict, in_job)
            options = tuple(self._entry(kind, limits, {}, strict, in_job) for kind in kinds)
            return Entry(Kind.EITHER, options=options, **about)
        if origin is Literal:
            return Entry(Kind.TEXT, limits=Limits(choices=tuple(arguments), **limits), **about)
        if hint in _SCALARS:
            return Entry(_SCALARS[hint], limits=Limits(**limits), **about)
        if origin is list:
            item = self._entry(arguments[0], {}, {}, strict, in_job)
            return Entry(Kind.LIST, item=item, limits=Limits(**limits), **about)
        if origin is dict:
            item = self._entry(arguments[1], {}, {}, strict, in_job)
            return Entry(Kind.MAP, item=item, limits=Limits(**limits), **about)
        return Entry(Kind.OBJECT, table=self.table(hint, strict=strict, in_job=in_job), **about)


def _hints(model: type[Model]) -> Mapping[str, Any]:
    """Declared types by attribute; names that were written before their model was are looked up."""
    if all(not isinstance(info.annotation, str | typing.ForwardRef) for info in model.model_fields.values()):
        return {name: info.annotation for name, info in model.model_fields.items()}
    return typing.get_type_hints(model)
