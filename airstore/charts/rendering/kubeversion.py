"""Which Kubernetes a chart is content with, where its ``kubeVersion`` excludes what Helm assumes; pure.

Helm itself judges; here are only versions worth asking it about: at the bounds that the constraint names.
"""

from __future__ import annotations

import re

_BOUND = re.compile(r"(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?")
_PRERELEASE = re.compile(r"(?<=\d)[-+][0-9A-Za-z.-]+")
_COMPLAINT = "chart requires kubeVersion"
_MOST = 12  # versions; each costs a run of Helm


def complains(message: str) -> bool:
    """Whether Helm refused a chart because of the version of Kubernetes."""
    return _COMPLAINT in message


def candidates(constraint: str) -> list[str]:
    """Versions at the bounds of a constraint, the most natural one first.

    Each bound itself, then just beyond it on either side, the newest first.
    """
    bounds = [
        (int(found["major"]), int(found["minor"] or 0), int(found["patch"] or 0))
        for found in _BOUND.finditer(_PRERELEASE.sub("", constraint))
    ]
    near: list[tuple[int, int, int]] = []
    for shift in (lambda b: b, _next_patch, _next_minor, _earlier):
        near += sorted((shift(bound) for bound in bounds), reverse=True)
    unique = dict.fromkeys(version for version in near if version[0] >= 0 and version[1] >= 0)
    return [".".join(map(str, version)) for version in unique][:_MOST]


def _next_patch(bound: tuple[int, int, int]) -> tuple[int, int, int]:
    return bound[0], bound[1], bound[2] + 1


def _next_minor(bound: tuple[int, int, int]) -> tuple[int, int, int]:
    return bound[0], bound[1] + 1, 0


def _earlier(bound: tuple[int, int, int]) -> tuple[int, int, int]:
    return (bound[0], bound[1], bound[2] - 1) if bound[2] else (bound[0], bound[1] - 1, 0)
