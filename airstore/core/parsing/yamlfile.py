"""YAML that people write and Helm renders: safe, bounded, without duplicate keys, with line numbers.

Sources: YAML 1.1 as PyYAML reads it. Alias bombs are cheap to load and deadly to walk, so nodes are
counted with aliases expanded before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from airstore.core.errors import UsageError
from airstore.core.limits import LIMITS

PathPart = str | int
_TYPED = frozenset({"null", "bool", "int", "float"})  # scalars that are more than text to Kubernetes


class _DepthLimit:
    """Counts the depth of nodes while they are composed: libyaml's composer overruns the stack instead."""

    depth = 0

    def descend_resolver(self, _parent: object, _index: object) -> None:
        self.depth += 1
        if self.depth > LIMITS.yaml_depth:
            raise yaml.YAMLError(f"nested deeper than {LIMITS.yaml_depth} levels")

    def ascend_resolver(self) -> None:
        self.depth -= 1


_Loader = type("_Loader", (_DepthLimit, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})
_Dumper = type("_Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {})
# Digests are text too: representers are found by the exact type, those of subclasses only if asked for.
yaml.add_multi_representer(str, lambda dumper, text: dumper.represent_str(str(text)), Dumper=_Dumper)


def load(data: bytes | str, name: str) -> Any:
    """Read one document.

    Raises:
        UsageError: not YAML, duplicate keys, too large; the message names file and line.
    """
    documents = load_all(data, name)
    if len(documents) > 1:
        raise UsageError(f"{name}: one YAML document is expected, there are {len(documents)}")
    return documents[0] if documents else None


def load_all(data: bytes | str, name: str) -> list[Any]:
    """Read a stream of documents that people write.

    Raises:
        UsageError: as `load`.
    """
    return _load(data, name, manifests=False)


def load_manifests(data: bytes | str, name: str) -> list[Any]:
    """Read a stream of documents as Kubernetes does: of duplicate keys the last wins, other types are text.

    Charts of others hold duplicate keys, dates and plain ``=``; Helm and the API server take them.

    Raises:
        UsageError: not YAML, too large; the message names file and line.
    """
    return _load(data, name, manifests=True)


def load_texts(data: bytes | str, name: str) -> list[Any]:
    """As `load_manifests`, for files of programs that read numbers as text: a version 1.10 stays 1.10.

    Raises:
        UsageError: as `load_manifests`.
    """
    return _load(data, name, manifests=True, typed=frozenset({"null", "bool"}))


def _load(data: bytes | str, name: str, *, manifests: bool, typed: frozenset[str] = _TYPED) -> list[Any]:
    if len(data) > LIMITS.yaml_document:
        raise UsageError(f"{name} is {len(data)} bytes; at most {LIMITS.yaml_document} are accepted")
    try:
        return list(_documents(_Loader(data), name, manifests, typed))
    except yaml.MarkedYAMLError as fault:
        line = f":{fault.problem_mark.line + 1}" if fault.problem_mark else ""
        raise UsageError(f"{name}{line}: {fault.problem or fault.context}") from fault
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise UsageError(f"{name}: {fault}") from fault
    except (LookupError, AttributeError, TypeError, ArithmeticError) as fault:
        # PyYAML's constructors end so when a text does not fit its explicit tag (!!int, !!timestamp)
        raise UsageError(f"{name}: a value does not fit its tag: {fault}") from fault


def dump(document: object, *, ascii_only: bool = False) -> str:
    """Write one document in block style with the order of keys kept; in ASCII nothing drives a terminal."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=not ascii_only, width=110)
    return text


def line_of(data: bytes | str, path: Iterable[PathPart]) -> int:
    """Line (from 1) of the value at ``path``, or of its deepest existing parent."""
    node = yaml.compose(data, Loader=_Loader)
    line = 1
    for part in path:
        if node is None:
            break
        child = _child(node, part)
        if child is None:
            break
        node, line = child
    return line


def _documents(loader: Any, name: str, manifests: bool, typed: frozenset[str]) -> Iterator[Any]:
    try:
        while loader.check_node():
            node = loader.get_node()
            _check(node, name, manifests)
            yield _plain(loader, node, typed, 0) if manifests else loader.construct_document(node)
    finally:
        loader.dispose()


def _plain(loader: Any, node: yaml.Node, typed: frozenset[str], depth: int) -> Any:
    """The types of JSON and nothing else; aliases of aliases go deeper than the text, so depth counts too."""
    if depth > LIMITS.yaml_depth:
        raise ValueError(f"nested deeper than {LIMITS.yaml_depth} levels")
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)  # "<<"
        return {str(key.value): _plain(loader, value, typed, depth + 1) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, value, typed, depth + 1) for value in node.value]
    known = node.tag.rpartition(":")[2] in typed
    return loader.construct_object(node) if known else node.value


def _check(root: yaml.Node, name: str, manifests: bool) -> None:
    count, stack = 0, [root]
    while stack:
        node = stack.pop()
        count += 1
        if count > LIMITS.yaml_nodes:
            raise UsageError(f"{name}: more than {LIMITS.yaml_nodes} YAML nodes once aliases are expanded")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, name, manifests)
            stack += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            stack += node.value


def _check_keys(node: yaml.MappingNode, name: str, duplicates: bool) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise UsageError(f"{name}:{key.start_mark.line + 1}: a key must be a plain value")
        if key.value in seen and key.value != "<<" and not duplicates:
            raise UsageError(f"{name}:{key.start_mark.line + 1}: duplicate key {key.value!r}")
        seen.add(key.value)


def _child(node: yaml.Node, part: PathPart) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child = node.value[part]
        return child, child.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line + 1
    return None
