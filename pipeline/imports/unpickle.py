"""Pickles of unknown origin, read without running anything in them.

A pickle is a program: it can name any function of any module and have it called. So Python's
unpickler is not used at all. The operations are decoded by the standard library's disassembler and
carried out here on plain containers; the only names that mean something are containers and numpy
numbers, objects of numpy, vLLM and torch become placeholders without content, and every other name
is refused.
"""

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UserMistake
from pipeline.imports.fields import CorruptEntry

MAX_BYTES = 16 * 1024 * 1024
"""A recorded attempt is a few hundred kilobytes; text may take four times its bytes in memory."""
MAX_VALUES = 500_000
"""Operations in a file, and values in what it holds, one that is referred to twice counted twice.
Sixteen tracks of 400 steps take 90,000; the largest thing an operation makes without text, an
empty set, has 216 bytes."""
MAX_DEPTH = 64
PLACEHOLDER_ROOTS = {"numpy", "vllm", "torch"}
"""Packages whose objects these scripts may have left in a record; none of them is read."""
PLAIN_KEYS = (str, bytes, int, float, type(None))
"""What may be a key: hashing a nested one can take forever."""
# numpy's names of numbers -> struct's.
NUMPY_FORMATS = dict(
    zip(
        ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"),
        "dfeqihbQIHB?",
        strict=True,
    )
)
SCALARS = {"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"}
DICTS = {"collections.OrderedDict", "collections.Counter"}
BUILTINS = ("builtins", "__builtin__")
SETS = {f"{module}.{name}" for module in BUILTINS for name in ("set", "frozenset")}
# Named as what a defaultdict makes, or as a type beside a value; they are never called.
IDLE = {
    f"{module}.{name}"
    for module in BUILTINS
    for name in ("list", "dict", "int", "float", "str", "tuple")
}
KNOWN = SCALARS | DICTS | SETS | IDLE | {"collections.defaultdict", "_codecs.encode", "numpy.dtype"}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Stands for an object that is not read."""

    name: str


@dataclass(frozen=True, slots=True)
class _Name:
    """A function or class that the pickle names."""

    name: str


@dataclass(slots=True)
class _NumberType:
    """What a numpy scalar needs of its dtype."""

    code: object
    order: str = "<"


@dataclass(slots=True)
class _Machine:
    """The pickle's stack and memo. `marks` are heights of the stack.

    `copied` counts what calls have copied: a short pickle can ask for one long copy many times.
    """

    file: Path
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    copied: int = 0

    def since_mark(self) -> list[Any]:
        """Take all that was pushed since the last mark."""
        height = self.marks.pop()
        taken = self.stack[height:]
        del self.stack[height:]
        return taken


def load_plain(file: Path) -> object:
    """The value in a pickle file: dict, list, tuple, set, text, bytes, numbers, placeholders.

    Raises:
        CorruptEntry: the file is torn, too large, too deep, or no pickle.
        UserMistake: it names something that results have no use for; nothing of it was run.
        OSError: the disk does not give it.
    """
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise CorruptEntry(f"{file.name} has {size:,} bytes, more than the {MAX_BYTES:,} allowed")
    # Read outside the boundary: a file that cannot be read is no corrupt one.
    content = file.read_bytes()
    try:
        value = _carried_out(content, file)
    except (UserMistake, CorruptEntry):
        raise
    # A broken pickle fails as any program can, in the decoder or on the stack; all is ours.
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:200]
        raise CorruptEntry(f"{file.name} is not a complete pickle of results ({said})") from error
    _measure(value, file)
    return value


def _carried_out(content: bytes, file: Path) -> object:
    machine = _Machine(file)
    for carried_out, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name == "STOP":
            break
        if carried_out >= MAX_VALUES:
            raise CorruptEntry(f"{file.name} holds more than {MAX_VALUES:,} operations")
        if opcode.name in _PUSHED:
            machine.stack.append(argument)
        elif opcode.name in _CARRIED_OUT:
            _CARRIED_OUT[opcode.name](machine, argument)
        else:
            raise _refused(file, f"uses the pickle operation {opcode.name}")
    return machine.stack.pop()


def _keyed(pairs: list[Any]) -> dict[Any, Any]:
    keys, values = pairs[::2], pairs[1::2]
    if not all(isinstance(key, PLAIN_KEYS) for key in keys):
        raise ValueError("a key is neither text nor a number")
    return dict(zip(keys, values, strict=True))


def _set_items(machine: _Machine, pairs: list[Any]) -> None:
    added = _keyed(pairs)
    if isinstance(machine.stack[-1], dict):
        machine.stack[-1].update(added)
    elif not isinstance(machine.stack[-1], Placeholder):
        raise TypeError("items for something that is not a dict")


def _append(machine: _Machine, items: list[Any]) -> None:
    if isinstance(machine.stack[-1], list):
        machine.stack[-1].extend(items)
    elif not isinstance(machine.stack[-1], Placeholder):
        raise TypeError("items for something that is not a list")


def _as_set(items: list[Any]) -> set[Any]:
    return set(_keyed([part for item in items for part in (item, None)]))


def _add(machine: _Machine, _: object) -> None:
    items = machine.since_mark()
    machine.stack[-1].update(_as_set(items))


def _last(machine: _Machine, count: int) -> list[Any]:
    taken = machine.stack[len(machine.stack) - count :]
    del machine.stack[len(machine.stack) - count :]
    if len(taken) < count:
        raise IndexError("the stack is empty")
    return taken


def _name(machine: _Machine, module: object, name: object) -> None:
    full = f"{module}.{name}"
    if full not in KNOWN and full.partition(".")[0] not in PLACEHOLDER_ROOTS:
        raise _refused(machine.file, f"names {full[:200]}")
    machine.stack.append(_Name(full))


def _stack_name(machine: _Machine, _: object) -> None:
    module, name = _last(machine, 2)
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("a name is not text")
    _name(machine, module, name)


def _call(machine: _Machine, _: object) -> None:
    """Put what the named function would have made of its arguments, as far as that is known."""
    called, arguments = _last(machine, 2)
    if not isinstance(called, _Name) or not isinstance(arguments, tuple):
        raise TypeError("a call of something that is not a name")
    first = arguments[0] if arguments else None
    machine.copied += len(first) if isinstance(first, list | tuple | set | dict | str) else 0
    if machine.copied > MAX_VALUES:
        raise ValueError("too many values are copied")
    machine.stack.append(_made(called.name, arguments, first))


def _made(name: str, arguments: tuple[Any, ...], first: Any) -> object:
    if name in DICTS:
        if first is None or isinstance(first, dict):
            return dict(first or {})
        return _keyed([part for key, value in first for part in (key, value)])
    if name == "collections.defaultdict":
        return {}
    if name in SETS:
        return _as_set(list(first or ()))
    if name == "numpy.dtype":
        return _NumberType(first)
    if name in SCALARS:
        return _scalar(*arguments)
    if name == "_codecs.encode" and isinstance(first, str):
        return first.encode("latin-1")  # how protocols 0 to 2 write bytes
    return Placeholder(name)


def _scalar(kind: object, data: object = None) -> object:
    if isinstance(kind, _NumberType) and isinstance(kind.code, str) and isinstance(data, bytes):
        form = NUMPY_FORMATS.get(kind.code)
        if form is not None:
            return struct.unpack(kind.order + form, data)[0]
    return Placeholder("numpy scalar")


def _build(machine: _Machine, _: object) -> None:
    """An object's state: only a numpy number's byte order is of use."""
    state = machine.stack.pop()
    made = machine.stack[-1]
    if isinstance(made, _NumberType) and isinstance(state, tuple) and state[1:2] == (">",):
        made.order = ">"
    elif not isinstance(made, _NumberType | Placeholder):
        raise TypeError("state for a plain value")


def _mark(machine: _Machine, _: object) -> None:
    machine.marks.append(len(machine.stack))


def _put(machine: _Machine, place: int | None) -> None:
    machine.memo[len(machine.memo) if place is None else place] = machine.stack[-1]


def _pushing(make: Callable[[_Machine], object]) -> Callable[[_Machine, Any], None]:
    """The operation that pushes what `make` takes from the stack and returns."""

    def carry_out(machine: _Machine, _: object) -> None:
        made = make(machine)
        machine.stack.append(made)

    return carry_out


def _nothing(_machine: _Machine, _: object) -> None:
    """The protocol's number and the frames' lengths are of no use here."""


_PUSHED = (
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
    | {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BYTEARRAY8"}
)
_CARRIED_OUT: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "MARK": _mark,
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine.since_mark().clear(),
    "DUP": _pushing(lambda machine: machine.stack[-1]),
    "NONE": _pushing(lambda _: None),
    "NEWTRUE": _pushing(lambda _: True),
    "NEWFALSE": _pushing(lambda _: False),
    "EMPTY_LIST": _pushing(lambda _: []),
    "EMPTY_TUPLE": _pushing(lambda _: ()),
    "EMPTY_DICT": _pushing(lambda _: {}),
    "EMPTY_SET": _pushing(lambda _: set()),
    "LIST": _pushing(lambda machine: machine.since_mark()),
    "TUPLE": _pushing(lambda machine: tuple(machine.since_mark())),
    "DICT": _pushing(lambda machine: _keyed(machine.since_mark())),
    "FROZENSET": _pushing(lambda machine: _as_set(machine.since_mark())),
    "TUPLE1": _pushing(lambda machine: tuple(_last(machine, 1))),
    "TUPLE2": _pushing(lambda machine: tuple(_last(machine, 2))),
    "TUPLE3": _pushing(lambda machine: tuple(_last(machine, 3))),
    "APPEND": lambda machine, _: _append(machine, _last(machine, 1)),
    "APPENDS": lambda machine, _: _append(machine, machine.since_mark()),
    "SETITEM": lambda machine, _: _set_items(machine, _last(machine, 2)),
    "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
    "ADDITEMS": _add,
    "MEMOIZE": _put,
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "GET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "GLOBAL": lambda machine, name: _name(machine, *str(name).split(" ", 1)),
    "STACK_GLOBAL": _stack_name,
    "REDUCE": _call,
    "NEWOBJ": _call,
    "BUILD": _build,
}


def _measure(value: object, file: Path) -> None:
    """Refuse what would not end when it is walked: references can make a small file endless."""
    waiting = [(value, 0)]
    seen = 0
    while waiting:
        one, depth = waiting.pop()
        seen += 1
        if seen + len(waiting) > MAX_VALUES or depth > MAX_DEPTH:
            raise CorruptEntry(f"{file.name} holds too many values, or nests them too deeply")
        if isinstance(one, dict):
            waiting += [(part, depth + 1) for part in one.values()]
        elif isinstance(one, list | tuple | set):
            waiting += [(part, depth + 1) for part in one]


def _refused(file: Path, what: str) -> UserMistake:
    return UserMistake(
        f"{file} {what}, which no result of these scripts does; none of it was run. "
        "Import only files whose origin you know."
    )
