"""Why Helm failed, said once: without its own wrapping, and in the pods' words where they say it. Pure."""

from __future__ import annotations

import re

from airstore.deploy.model.target import Target

# What Helm says when its time is up, of what it waited for or of itself.
_WAITED = re.compile(
    r"context deadline exceeded|timed out waiting|client rate limiter|would exceed context deadline"
    r"|resources? .*not ready|InProgress|resource still exists",
    re.IGNORECASE,
)
_WRAPPING = re.compile(r"\b(UPGRADE|INSTALLATION|ROLLBACK|UNINSTALLATION) FAILED: |\bError: ")
_COUNTED = re.compile(r"\d+ errors? occurred:\s*(\* )?")


def reason(target: Target, said: str, pods: str) -> str:
    """Why a Helm release was not installed.

    Args:
        target: the Helm release.
        said: what Helm said.
        pods: why its workloads are not ready; empty where they are, or nothing is known.
    """
    if pods and _WAITED.search(said):
        return f"{target.running.key} is not ready after {target.helm.timeout}: {pods}"
    plain = tidied(said)
    return f"{plain}\n{pods}" if pods else plain


def tidied(said: str) -> str:
    """The same without Helm's wrapping, and without lines that repeat one before."""
    text = _COUNTED.sub("", _WRAPPING.sub("", said))
    lines = (line.strip().removeprefix("* ").strip() for line in text.splitlines())
    return "\n".join(dict.fromkeys(line for line in lines if line))
