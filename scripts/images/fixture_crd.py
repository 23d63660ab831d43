"""Write the CRD of the bakery fixture's panel: about 335 kB, as operators' are, from a few lines.

    python -m scripts.images.fixture_crd OUT

kubectl's own ``apply`` cannot take it: its annotation of what was applied ends at 256 KiB.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airstore.core.parsing import yamlfile

PLACE = Path("charts") / "panel" / "crds" / "boards.yaml"  # in the product
_SECTIONS, _FIELDS = 22, 48
_TEXT = """board panel query axis legend colour unit threshold limit format label series value time zone
range window interval source target filter group order column row cell width height margin title caption link
alert rule state text number list map name default optional required shown hidden old new first last"""
_WORDS = _TEXT.split()


def write(path: Path) -> Path:
    """Write it, with the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yamlfile.dump(_definition()))
    return path


def _definition() -> dict[str, Any]:
    panels = {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {"title": {"type": "string"}, "panels": panels, **dict(_sections())}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Board", "plural": "boards", "singular": "board"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boards.bakery.example.com"},
        "spec": {
            "group": "bakery.example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


def _sections() -> Iterator[tuple[str, Any]]:
    chance = random.Random("boards")  # noqa: S311 - repeatable content, not a secret
    for section in range(_SECTIONS):
        fields = {
            f"{chance.choice(_WORDS)}{section}x{number}": {
                "description": " ".join(chance.choices(_WORDS, k=30)).capitalize() + ".",
                "type": chance.choice(["string", "integer", "boolean"]),
            }
            for number in range(_FIELDS)
        }
        yield f"section{section}", {"type": "object", "properties": fields}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the CRD of the bakery fixture's panel.")
    parser.add_argument("out", type=Path, help="the file")
    path = write(parser.parse_args().out)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
