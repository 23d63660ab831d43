"""Can every image be had? Asked of all before one is ingested, so that all faults are seen at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airstore.charts.images.finding import ImageFinding
from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, TransferError, UsageError
from airstore.core.image.reference import Reference
from airstore.registry.parallel import run_all
from airstore.registry.sources.places import Places

_AT_ONCE = 8
_PLACES = 3  # that ask for an image and are named


def check_images(source: Places, references: Sequence[Reference], findings: Sequence[ImageFinding]) -> None:
    """Ask every source for its images.

    Raises:
        AirstoreError: some cannot be had, of the first fault's class; each is named, with who asks for it and
            what to write if it is none.
    """

    def ask(reference: Reference) -> AirstoreError | None:
        try:
            source.check(reference)
        except (NotFoundError, TransferError, DamagedError, UsageError) as fault:
            return _plain(fault)
        return None

    answers = run_all(ask, references, _AT_ONCE)
    faults = {one: fault for one, fault in zip(references, answers, strict=True) if fault}
    if faults:
        raise _united(faults, len(references), findings)


def _united(
    faults: Mapping[Reference, AirstoreError], total: int, findings: Sequence[ImageFinding]
) -> AirstoreError:
    first = next(iter(faults.values()))
    lines = [line for reference, fault in faults.items() for line in _explained(reference, fault, findings)]
    count = f"{len(faults)} of {total} images cannot be had" if len(faults) > 1 else "an image cannot be had"
    exclude = ", ".join(f'"{reference}"' for reference in faults)
    # What a source has instead helps with one image; of many it would bury the names.
    own = [first.hint] if len(faults) == 1 and first.hint else []
    hint = "; ".join([*own, f"what the product does not need goes under images.exclude: [{exclude}]"])
    return type(first)("\n".join([f"{count}:", *lines]), hint=hint)


def _plain(fault: AirstoreError) -> AirstoreError:
    """The fault without what it holds on to, connections above all, and of its family as such."""
    families: list[type[AirstoreError]] = [
        each for each in type(fault).__mro__ if each.__module__ == AirstoreError.__module__
    ]
    return families[0](str(fault), hint=fault.hint)


def _explained(reference: Reference, fault: AirstoreError, findings: Sequence[ImageFinding]) -> Iterator[str]:
    yield f"  {reference}: {fault}"
    places = dict.fromkeys(
        " ".join(filter(None, (one.kind, one.name, one.path))) + f" in {one.source}"
        for one in findings
        if one.reference == reference and one.fetched
    )
    shown = list(places)[:_PLACES]
    more = f", and {len(places) - len(shown)} more" if len(places) > len(shown) else ""
    if shown:
        yield f"    asked for by {', '.join(shown)}{more}"
