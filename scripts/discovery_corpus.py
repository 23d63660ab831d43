"""What discovery finds in fixtures/corpus: recall and precision, and every miss and false hit.

    python scripts/discovery_corpus.py

Recall is the share of the expected images that are taken in, precision the share of what is taken in that is
expected. Images that are only listed as ``possible`` count as neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airstore.charts.images.documents import find_images
from airstore.core.image.reference import Reference
from airstore.core.parsing import yamlfile

CORPUS = Path(__file__).resolve().parents[1] / "fixtures" / "corpus"


@dataclass(frozen=True)
class Shape:
    """One manifest of the corpus.

    Attributes:
        expected: the images that a release needs because of it.
        taken: those that discovery takes in.
        beyond: those that only an operator's program knows.
    """

    name: str
    expected: frozenset[str]
    taken: frozenset[str]
    beyond: frozenset[str]


def shapes(directory: Path = CORPUS) -> Iterator[Shape]:
    """Search every manifest of the corpus."""
    for path in sorted(directory.glob("*.yaml")):
        for entry in yamlfile.load(path.read_bytes(), str(path)):
            hits = find_images(entry["manifest"])
            yield Shape(
                f"{path.stem}: {entry['shape']}",
                frozenset(_full(text) for text in entry["expect"]),
                frozenset(str(hit.reference) for hit in hits if hit.confidence != "possible"),
                frozenset(_full(text) for text in entry.get("beyond", ())),
            )


def figures(found: list[Shape]) -> tuple[float, float]:
    """Recall and precision, each between 0 and 1."""
    right = sum(len(shape.expected & shape.taken) for shape in found)
    return (
        right / sum(len(shape.expected) for shape in found),
        right / sum(len(shape.taken) for shape in found),
    )


def _full(text: str) -> str:
    return str(Reference.parse(text))


def main() -> None:
    found = list(shapes())
    for shape in found:
        for image in sorted(shape.expected - shape.taken):
            print(f"missed     {image}  ({shape.name})")
        for image in sorted(shape.taken - shape.expected):
            print(f"false hit  {image}  ({shape.name})")
    recall, precision = figures(found)
    expected, beyond = (sum(len(getattr(s, name)) for s in found) for name in ("expected", "beyond"))
    print(f"{len(found)} shapes, {expected} images, {beyond} beyond any reading of manifests")
    print(f"recall {recall:.1%}, precision {precision:.1%}")


if __name__ == "__main__":
    main()
