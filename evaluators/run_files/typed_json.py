"""JSON of anybody read into dataclasses: each value is of the kind its field says, or named."""

import json
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")


class WrongJson(ValueError):  # noqa: N818 - named for what it is
    """A file is no JSON, or not of the kind that was expected."""


def read_typed(file: Path, kind: type[Kind]) -> Kind:
    """The dataclass that a file of JSON holds; keys that it has no field for are passed over.

    Raises:
        WrongJson: it cannot be read, or a value is missing, of another kind, or no finite number.
    """
    try:
        value = json.loads(file.read_bytes())
    except OSError as error:
        raise WrongJson(error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise WrongJson(f"no JSON ({error})") from error
    made: Kind = typed(value, kind)
    return made


def typed(value: object, kind: Any, place: str = "") -> Any:
    """The value as `kind`: a dataclass, a union, a tuple, a mapping, or a scalar.

    A whole number is a float where one is asked for. `place` is where it stands in the file. Python
    reads NaN, Infinity, and 1e400 as that; nothing can be computed with them, so none is taken.

    Raises:
        WrongJson: it is of another kind.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return _finite(value, place)
    if origin in {Union, types.UnionType}:
        return _any_of(value, inner, place)
    if is_dataclass(kind):
        return _object(value, kind, place)
    if origin is tuple and isinstance(value, list):
        if inner[-1] is Ellipsis:
            return tuple(typed(one, inner[0], f"{place}[{n}]") for n, one in enumerate(value))
        if len(inner) == len(value):
            pairs = enumerate(zip(value, inner, strict=True))
            return tuple(typed(one, each, f"{place}[{n}]") for n, (one, each) in pairs)
    if origin is Mapping and isinstance(value, dict):
        return {name: typed(one, inner[1], f"{place}.{name}") for name, one in value.items()}
    if kind is float and type(value) in {float, int}:
        return float(_finite(value, place))
    if origin is None and kind is not None and type(value) is kind:
        return _finite(value, place)
    if value is None and kind in {None, types.NoneType}:
        return None
    raise WrongJson(f"{place.lstrip('.') or 'it'} is {_short(value)}")


def _finite(value: Any, place: str) -> Any:
    """The value, all numbers in which a float can hold."""
    if isinstance(value, dict):
        return {name: _finite(one, f"{place}.{name}") for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one, f"{place}[{n}]") for n, one in enumerate(value)]
    if isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        raise WrongJson(f"{place.lstrip('.') or 'it'} is {_short(value)}, no finite number")
    return value


def _any_of(value: object, kinds: tuple[Any, ...], place: str) -> object:
    if value is None and types.NoneType in kinds:
        return None
    *others, last = (kind for kind in kinds if kind is not types.NoneType)
    for kind in others:
        try:
            return typed(value, kind, place)
        except WrongJson:
            continue
    found: object = typed(value, last, place)
    return found


def _object(value: object, kind: Any, place: str) -> object:
    if not isinstance(value, dict):
        raise WrongJson(f"{place.lstrip('.') or 'it'} is {_short(value)}, and no object")
    kinds, given = get_type_hints(kind), {}
    for field in fields(kind):
        if field.name in value:
            given[field.name] = typed(value[field.name], kinds[field.name], f"{place}.{field.name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise WrongJson(f"{f'{place}.{field.name}'.lstrip('.')} is missing")
    made: object = kind(**given)
    return made


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004 - one line
