"""Helm's post-renderers: a program that gets what Helm rendered before anything is installed.

Helm 3 takes a program and does not show it the chart's hooks. Helm 4 takes the name of a plugin alone, and
shows it everything (helm.sh/docs/plugins, post-renderer plugins with the subprocess runtime).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_NAME = "airstore-rewrite"


def sees_hooks(major: int) -> bool:
    """Whether this Helm hands the hooks of a chart to a post-renderer."""
    return major >= 4


def flags(major: int, plugins: Path, command: Sequence[str]) -> list[str]:
    """Flags of ``helm upgrade`` that have a program rewrite what was rendered.

    Args:
        major: of Helm's version.
        plugins: Helm's private plugin directory; Helm 4 gets a plugin in it.
        command: absolute path of the program and its arguments.
    """
    if major < 4:
        return [f"--post-renderer={command[0]}", *(f"--post-renderer-args={each}" for each in command[1:])]
    folder = plugins / _NAME
    folder.mkdir(exist_ok=True, mode=0o700)
    (folder / "plugin.yaml").write_text(json.dumps(_plugin(command)), encoding="utf-8")  # JSON is YAML
    return [f"--post-renderer={_NAME}"]


def _plugin(command: Sequence[str]) -> dict[str, object]:
    run = {"platformCommand": [{"command": command[0], "args": list(command[1:])}]}
    kind = {"apiVersion": "v1", "type": "postrenderer/v1", "name": _NAME, "version": "1.0.0"}
    return {**kind, "runtime": "subprocess", "runtimeConfig": run}
