"""Hooks that are manifests of one Job: what they must look like, and what they are told. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airstore.core.errors import UsageError
from airstore.core.parsing import yamlfile

_LATER = 60  # seconds after the time-out, when the cluster itself ends a Job that nobody awaits any more


def is_job(path: str) -> bool:
    """Whether a hook is a manifest and not a script."""
    return path.endswith((".yaml", ".yml"))


def read_job(content: bytes, path: str) -> dict[str, Any]:
    """A hook's manifest.

    Raises:
        UsageError: it is not YAML, or not of one Job that can be created; the message names the file.
    """
    job = yamlfile.load(content, path)
    if not isinstance(job, dict) or (job.get("apiVersion"), job.get("kind")) != ("batch/v1", "Job"):
        raise _wrong(path, "it must be of `apiVersion: batch/v1`, `kind: Job`")
    if not isinstance(_at(job, "metadata", "name"), str):
        raise _wrong(path, "it has no metadata.name; a generated name could not be found again")
    containers = _at(job, "spec", "template", "spec", "containers")
    if not (
        isinstance(containers, list) and containers and all(isinstance(each, dict) for each in containers)
    ):
        raise _wrong(path, "it has no list spec.template.spec.containers")
    return job


def with_environment(job: dict[str, Any], variables: Mapping[str, str], timeout: float) -> dict[str, Any]:
    """The same Job; its containers have the variables, and it ends even where nobody lives to end it."""
    spec = {"activeDeadlineSeconds": math.ceil(timeout) + _LATER, **job["spec"]}
    pod = dict(spec["template"]["spec"])
    if pod.get("terminationGracePeriodSeconds") == 0:
        # The API server forgets such a pod at once, and nobody can tell when its containers have ended.
        pod["terminationGracePeriodSeconds"] = 1
    added = [{"name": name, "value": value} for name, value in variables.items()]
    for kind in ("initContainers", "containers"):
        if kind in pod:
            pod[kind] = [{**each, "env": [*_others(each, variables), *added]} for each in pod[kind]]
    return {**job, "spec": {**spec, "template": {**spec["template"], "spec": pod}}}


def _others(container: Mapping[str, Any], variables: Mapping[str, str]) -> list[Any]:
    return [each for each in container.get("env") or () if each.get("name") not in variables]


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _wrong(path: str, why: str) -> UsageError:
    return UsageError(
        f"hook {path} is not a manifest of one Job: {why}", hint="other files than .yaml are run as scripts"
    )
