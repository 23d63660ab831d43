"""Why Helm failed, said once: without its own wrapping, and in the pods' words where they say it. Pure."""

from __future__ import annotations

import re

from airstore.deploy.model.target import ReleaseTarget

# What Helm says when its time is up, and of what it waited for.
_LATE = re.compile(
    r"context deadline exceeded|timed out waiting|client rate limiter|would exceed context deadline",
    re.IGNORECASE,
)
_WAITED = re.compile(
    rf"{_LATE.pattern}|resources? .*not ready|InProgress|resource still exists", re.IGNORECASE
)
_LOGGED = re.compile(r"level=[A-Z]+ msg=.*\n")  # Helm 4 says it here and once more
_WRAPPING = re.compile(r"\b(UPGRADE|INSTALLATION|ROLLBACK|UNINSTALLATION) FAILED: |\bError: ")
_COUNTED = re.compile(r"\d+ errors? occurred:\s*(\* )?")


def reason(target: ReleaseTarget, said: str, pods: str) -> str:
    """Why a Helm release was not installed.

    Args:
        target: the Helm release.
        said: what Helm said.
        pods: why its workloads are not ready; empty where they are, or nothing is known.
    """
    if pods and _WAITED.search(said):
        late = f" after {target.helm.timeout}" if _LATE.search(said) else ""
        return f"{target.running.key} is not ready{late}: {pods}"
    plain = tidied(said)
    return f"{plain}\n{pods}" if pods else plain


def tidied(said: str) -> str:
    """The same without Helm's wrapping, and without lines that repeat one before."""
    text = _COUNTED.sub("", _WRAPPING.sub("", _LOGGED.sub("", said)))
    lines = (line.strip().removeprefix("* ").strip() for line in text.splitlines())
    return "\n".join(dict.fromkeys(line for line in lines if line))
