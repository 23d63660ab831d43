"""Frozen data classes that cost next to nothing until there is an instance.

A command loads a hundred data classes and makes instances of some. The standard library compiles six
functions for each where it is defined. Here all classes share those that need no compiling, and ``__init__``
is compiled when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from reprlib import recursive_repr
from threading import RLock
from typing import Any, TypeVar, dataclass_transform

_Kind = TypeVar("_Kind")

_COMPARED, _HASHED = "__compared_fields__", "__hashed_fields__"
_LEARNT = ("__dataclass_fields__", "__match_args__", _COMPARED, _HASHED)  # of a class when it is finished
_finishing = RLock()


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_Kind]) -> type[_Kind]:
    """Decorate a class: ``dataclass(frozen=True)`` to its instances, to `fields`, `asdict` and `replace`.

    Fields are those that ``__init__`` takes by position: no ``InitVar``, ``init=False`` or ``kw_only``.
    """
    for name, function in _SHARED.items():
        if vars(cls).get(name) is None:  # a class with an __eq__ of its own has None for __hash__
            setattr(cls, name, function)
    for name in _LEARNT:
        setattr(cls, name, _ToLearn(cls, name))
    _set(cls, __init__=_first_init(cls))
    return cls


class _ToLearn:
    """An attribute of a class that is not finished; asking for it finishes the class."""

    def __init__(self, cls: type, name: str) -> None:
        self._cls, self._name = cls, name

    def __get__(self, instance: object, owner: type) -> object:
        _finish(self._cls)
        return getattr(owner, self._name)


def _first_init(cls: type) -> Callable[..., None]:
    def init(self: Any, *args: object, **named: object) -> None:
        _finish(cls)
        vars(cls)["__init__"](self, *args, **named)

    return init


def _finish(cls: type) -> None:
    with _finishing:
        if not isinstance(vars(cls)[_HASHED], _ToLearn):
            return  # another thread was quicker
        _set(cls, __doc__=cls.__doc__ or cls.__name__)  # the standard library would make one of the signature
        dataclass(init=False, repr=False, eq=False, match_args=False)(cls)
        known = fields(cls)
        compared = (each.name for each in known if each.compare)
        hashed = (each.name for each in known if (each.compare if each.hash is None else each.hash))
        _set(cls, __init__=_compiled_init(cls, known), __match_args__=tuple(each.name for each in known))
        _set(cls, **{_COMPARED: _values(compared), _HASHED: _values(hashed)})


def _set(cls: type, **attributes: object) -> None:
    for name, value in attributes.items():
        setattr(cls, name, value)


def _values(names: Iterable[str]) -> Callable[[object], object]:
    """What gets these fields of an instance; not a function, which would be a method of the class."""
    found = tuple(names)
    return attrgetter(*found) if found else attrgetter("__class__")


def _compiled_init(cls: type, known: Iterable[Field[Any]]) -> object:
    used: dict[str, Any] = {"__put": object.__setattr__}
    parameters, lines = ["self"], []
    for each in known:
        default = f"__default_{each.name}"
        value = each.name
        if each.default is not MISSING:
            used[default] = each.default
        elif each.default_factory is not MISSING:
            used[default] = each.default_factory
            value = f"{default}() if {value} is {default} else {value}"
        parameters.append(f"{each.name}={default}" if default in used else each.name)
        lines.append(f"__put(self, {each.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n ".join(lines or ["pass"])
    exec(f"def __init__({', '.join(parameters)}):\n {body}", used)  # noqa: S102 - names of fields alone
    used["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    return used["__init__"]


def _equal(self: Any, other: object) -> object:
    if other.__class__ is not self.__class__:
        return NotImplemented
    values = getattr(self, _COMPARED)
    return values(self) == values(other)


def _hash(self: Any) -> int:
    return hash(getattr(self, _HASHED)(self))


@recursive_repr()
def _shown(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_set(self: object, name: str, value: object) -> None:  # noqa: ARG001
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: object, name: str) -> None:  # noqa: ARG001
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_SHARED = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _shown,
    "__setattr__": _refuse_set,
    "__delattr__": _refuse_delete,
}
