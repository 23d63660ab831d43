"""The site file ``site.yaml``: what the vendor never signs and never sees (schemas/site.schema.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.model.site_registry import ClusterRegistry, SiteRegistry, registry_from_section
from airstore.core.parsing import schema, yamlfile


@frozen
class SiteFile:
    """A validated site file; every field has a default so that a site can begin without one.

    Attributes:
        registry: what nodes pull from.
        variables: the ``vars`` section: the ``site.*`` names that product files bind.
        values: Helm release name to values that override the vendor's.
        name: how messages call the file.
        drift: Helm release name to what is no drift here, rules as the file writes them.
        backups: the ``backups`` section: how many are kept.
        anchor: where a mark of how far the site has come is kept outside of its store; None for nowhere.
    """

    registry: SiteRegistry = field(default_factory=ClusterRegistry)
    variables: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    name: str = "site.yaml"
    drift: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    backups: Mapping[str, int] = field(default_factory=dict)
    anchor: str | None = None

    def lookup(self, name: str) -> Any:
        """Value of a bound name: ``registry.host``, ``registry.pullSecrets``, ``site.hostname``.

        Raises:
            UsageError: the site file does not set it.
        """
        if name == "registry.pullSecrets":  # as pods and most charts write them
            secret = self.registry.pull_secret
            return [{"name": secret}] if secret else []
        section, _, key = name.partition(".")
        known = {"registry": self.registry.written, "site": self.variables}.get(section, {})
        if key not in known:
            where = "vars" if section == "site" else section
            raise UsageError(
                f"the product binds {name!r}, which the site file does not set",
                hint=f"add {key!r} under {where!r} in {self.name}",
            )
        return self.registry.address if name == "registry.host" else known[key]

    def path(self, relative: str) -> Path:
        """A file that the site file names, relative to it."""
        return Path(self.name).parent / relative


def load_site_file(path: Path) -> SiteFile:
    """Read and validate a site file.

    Raises:
        NotFoundError: no such file.
        UsageError: not YAML or not of the schema; file, line and field are named.
    """
    try:
        text = path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read the site file {path}: {fault.strerror}") from fault
    document = yamlfile.load(text, str(path))
    schema.check_yaml(document, text, "site", str(path))
    registry = registry_from_section(document.get("registry", {}))
    variables, values = document.get("vars", {}), document.get("values", {})
    ignored = {name: tuple(each["ignore"]) for name, each in document.get("drift", {}).items()}
    backups, anchor = document.get("backups", {}), document.get("anchor")
    return SiteFile(registry, variables, values, str(path), ignored, backups, anchor)
