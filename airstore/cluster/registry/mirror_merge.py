"""Files of nodes beside what other products, or people, have in them: merged, or marked to be merged; pure.

The first line of a file of airstore's says for which products it is. What is of one product alone is written
anew; everything else stays. Where both cannot be, the existing file is left and ours goes beside it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airstore.cluster.registry.mirror_config import NodeFile
from airstore.core.errors import UsageError
from airstore.core.parsing import yamlfile

_FOR = "# airstore: for product "
_MARK = re.compile(rf"{re.escape(_FOR)}(.+)")
TO_MERGE = ".to-merge"


class NeedsMergingError(UsageError):
    """What is there and what is wanted exclude each other."""


def merged(file: NodeFile, existing: str, product: str) -> NodeFile:
    """The file as it has to be, with what others have in it.

    Args:
        file: as this product alone needs it.
        existing: what is at its place.
        product: ours.

    Raises:
        NeedsMergingError: a person has to decide; it says what about.
    """
    try:
        others, theirs = _products(file.form, existing), _read(file.form, existing)
    except (ValueError, UsageError) as fault:
        raise NeedsMergingError(f"it does not read: {fault}") from fault
    if others == [product]:
        return marked(file, [product])
    both = _merge(file.form, theirs, _read(file.form, file.text))
    names = sorted({*others, product})
    # What holds somebody's password stays private.
    private = file.private or "auth" in existing or "password" in existing
    if both == theirs:  # nothing is new: the text stays, with the comments in it
        return marked(replace(file, text=_bare(file.form, existing), private=private), names)
    return marked(replace(file, text=_written(file, both), private=private), names)


def marked(file: NodeFile, products: list[str]) -> NodeFile:
    """The file, saying for which products it is."""
    if file.form == "auths":
        document = {"airstore": products, **json.loads(file.text)}
        return replace(file, text=json.dumps(document, indent=2) + "\n")
    if file.form in {"hosts", "k3s", "crio", "ca"}:
        return replace(file, text=f"{_FOR}{', '.join(products)}\n{_bare(file.form, file.text)}")
    return file


def _bare(form: str, text: str) -> str:
    if form == "auths":
        return json.dumps({key: value for key, value in json.loads(text).items() if key != "airstore"})
    return text.partition("\n")[2] if text.startswith(_FOR) else text


def _products(form: str, text: str) -> list[str]:
    if form == "auths":
        return [str(name) for name in json.loads(text).get("airstore", ())]
    found = _MARK.match(text)
    return found[1].split(", ") if found else []


def _read(form: str, text: str) -> dict[str, Any]:
    read: Any
    if form == "ca":
        return {"ca": _bare(form, text).strip()}
    if form == "k3s":
        read = yamlfile.load(text, "registries.yaml")
    else:
        read = json.loads(text) if form == "auths" else tomllib.loads(text)
    if not isinstance(read, dict):
        raise NeedsMergingError("it is not of the form that is known")
    return {key: value for key, value in read.items() if (form, key) != ("auths", "airstore")}


def _merge(form: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    if form == "crio":
        return {"registry": _tables(theirs, ours)}
    if form == "hosts":
        return _hosts(theirs, ours)
    together: dict[str, Any] = _union(theirs, ours, "")
    return together


def _hosts(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Containerd asks ``server`` last: with two registries, one of them would never be asked."""
    if theirs.get("server") != ours.get("server") or {*theirs.get("host", ())} != {*ours.get("host", ())}:
        raise NeedsMergingError(f"it mirrors to {theirs.get('server')}, not to {ours.get('server')}")
    # The same registry: who needs its login in here keeps it, and a new one replaces it.
    return dict(ours) if "header" in ours or "header" not in theirs else dict(theirs)


def _tables(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[dict[str, Any]]:
    """CRI-O's ``[[registry]]``, of which one prefix has one."""
    tables: dict[str, dict[str, Any]] = {}
    for document in (theirs, ours):
        if {*document} - {"registry"}:
            raise NeedsMergingError("it has other settings than registries")
        for table in document.get("registry", ()):
            prefix = str(table.get("prefix"))
            if tables.setdefault(prefix, table) != table or {*table} != {"prefix", "location"}:
                raise NeedsMergingError(f"it has another location for {prefix}")
    return list(tables.values())


def _union(theirs: Any, ours: Any, where: str) -> Any:
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        keys = dict.fromkeys((*theirs, *ours))
        return {key: _union(theirs.get(key, ours.get(key)), ours.get(key, theirs.get(key)), f"{where}.{key}")
                for key in keys}  # fmt: skip
    if theirs != ours:
        raise NeedsMergingError(f"it says otherwise about {where.lstrip('.')}")
    return ours


def _written(file: NodeFile, document: Mapping[str, Any]) -> str:
    if file.form == "auths":
        return json.dumps(document, indent=2) + "\n"
    if file.form == "k3s":
        return _head(file.text) + yamlfile.dump(document)
    if file.form == "crio":
        return _head(file.text) + "\n".join(map(_table, document["registry"]))
    return file.text  # of one registry ours is what is wanted


def _table(table: Mapping[str, str]) -> str:
    prefix, location = (json.dumps(table[key]) for key in ("prefix", "location"))
    return f"[[registry]]\nprefix = {prefix}\nlocation = {location}\n"


def _head(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("#") and not line.startswith(_FOR))
