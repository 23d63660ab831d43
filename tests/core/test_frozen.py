"""`frozen` is to its instances what the standard library's frozen data class is, and is made later."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from threading import Barrier
from typing import Any, ClassVar

import pytest

from airstore.core.frozen import frozen

_MARK = "mark"


def _make(decorate: Callable[[type], type]) -> tuple[Any, Any, Any]:
    """The same classes, made by either decorator: of all kinds of fields, of none, and with a base."""

    class Whole:
        """Fields of every kind."""

        kind: ClassVar[str] = "whole"
        name: str
        size: int = 3
        notes: list[str] = field(default_factory=list, hash=False)
        secret: str = field(default="s", repr=False)
        aside: Any = field(default=None, compare=False)

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError("below zero")

    class Empty:
        pass

    made = decorate(Whole)

    class Longer(made):  # type: ignore[misc, valid-type]
        more: tuple[int, ...] = ()

    return made, decorate(Empty), decorate(Longer)


OURS, STANDARD = _make(frozen), _make(dataclass(frozen=True))


@frozen
class _Pickled:
    a: int
    b: str = ""


@pytest.mark.parametrize("at", [0, 2])
def test_instances_are_what_the_standard_librarys_are(at: int) -> None:
    for given in (("a",), ("a", 5), ("a", 5, ["x"], "t", _MARK)):
        ours, other = OURS[at](*given), STANDARD[at](*given)
        assert repr(ours) == repr(other)
        assert asdict(ours) == asdict(other)
        assert hash(ours) == hash(other)
        assert [each.name for each in fields(ours)] == [each.name for each in fields(other)]
        assert ours.__match_args__ == other.__match_args__
        assert ours == OURS[at](*given)
        assert ours != replace(ours, secret="u")
        assert ours == replace(ours, aside="not compared")
        assert ours != other
        assert vars(ours) == vars(other)


def test_a_default_is_made_anew_for_each() -> None:
    one, two = OURS[0]("a"), OURS[0]("a")
    one.notes.append("x")
    assert two.notes == []


def test_a_class_without_fields_has_instances_that_are_equal() -> None:
    assert OURS[1]() == OURS[1]()
    assert hash(OURS[1]()) == hash(OURS[1]())
    assert repr(OURS[1]()) == repr(STANDARD[1]())


@pytest.mark.parametrize("given", [(), ("a", 1, [], "t", None, (), "too many")])
def test_wrong_arguments_are_refused_in_the_same_words(given: tuple[object, ...]) -> None:
    with pytest.raises(TypeError) as other:
        STANDARD[2](*given)
    with pytest.raises(TypeError) as ours:
        OURS[2](*given)
    assert str(ours.value) == str(other.value)


def test_what_a_class_asks_of_its_fields_is_asked() -> None:
    with pytest.raises(ValueError, match="below zero"):
        OURS[2]("a", -1)
    with pytest.raises(ValueError, match="below zero"):
        replace(OURS[0]("a"), size=-1)


def test_nothing_can_be_set_or_deleted() -> None:
    made = OURS[0]("a")
    with pytest.raises(FrozenInstanceError, match="'name'"):
        made.name = "b"
    with pytest.raises(FrozenInstanceError, match="'name'"):
        del made.name


def test_what_a_class_defines_itself_stays() -> None:
    @frozen
    class Own:  # noqa: PLW1641 - the decorator gives it one
        a: int
        b: int = 0

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own) and self.a == other.a

        def __repr__(self) -> str:
            return "own"

    assert Own(1, 2) == Own(1, 3)
    assert repr(Own(1)) == "own"
    assert hash(Own(1, 2)) == hash(Own(1, 2))


def test_a_class_that_is_only_defined_compiles_nothing() -> None:
    """Its cost is that of its definition; asking for its fields, or an instance, is what makes the rest."""

    @frozen
    class Idle:
        a: int

    assert "a" not in vars(Idle)["__init__"].__code__.co_varnames
    assert [each.name for each in fields(Idle)] == ["a"]  # type: ignore[arg-type, unused-ignore]
    assert "a" in vars(Idle)["__init__"].__code__.co_varnames


def test_a_mutable_default_is_a_mistake() -> None:
    @frozen
    class Wrong:
        a: list[int] = []  # noqa: RUF012

    with pytest.raises(ValueError, match="mutable default"):
        Wrong()


def test_instances_that_were_never_initialised_here_are_whole() -> None:
    """As another process would unpickle them: without ``__init__``."""
    raw = pickle.dumps(_Pickled(1, "x"))

    @frozen
    class Fresh:
        a: int
        b: str = ""

    one, two = (object.__new__(Fresh) for _ in range(2))
    for each in (one, two):
        vars(each).update(vars(pickle.loads(raw)))  # noqa: S301 - made above
    assert one == two
    assert hash(one) == hash(two)
    assert replace(one, a=2) == Fresh(2, "x")


def test_threads_that_need_a_class_at_once_all_get_it() -> None:
    """Each finds it finished or finishes it; none sees a part."""
    threads = 8

    def one(start: Barrier, kind: type[Any]) -> Any:
        start.wait()
        return kind("a", notes=["n"])

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(50):
            kind, start = _make(frozen)[2], Barrier(threads)
            made = [each.result() for each in [pool.submit(one, start, kind) for _ in range(threads)]]
            assert all(each == made[0] and each.more == () for each in made)
