"""Signatures of the classes and functions in a Python file of the user's, from its syntax tree; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from nnrun.spec.catalog_source import Signature, class_signature, function_signature, imports

TENSORFLOW = "tensorflow."
"""Keras is to be had as ``tensorflow.keras``, too."""

Definition = ast.ClassDef | ast.FunctionDef


def definitions(tree: ast.Module) -> dict[str, Definition]:
    """The public classes and functions of a file; of several with one name the last, which Python keeps."""
    found = (node for node in tree.body if isinstance(node, Definition))
    return {node.name: node for node in found if not node.name.startswith("_")}


def signatures(tree: ast.Module) -> dict[str, Signature]:
    """What the classes and functions of a file take, private ones too; base classes by their full names.

    A base class is one of Keras's (``keras.layers.Layer``, however it was imported), or one that stands above.
    """
    aliases = dict(_aliases(tree))
    found: dict[str, Signature] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = function_signature(node)
        elif isinstance(node, ast.ClassDef):
            bases = (_resolve(ast.unparse(base), aliases, found) for base in node.bases)
            known = tuple(base for base in bases if base and base != node.name)
            methods = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
            found[node.name] = class_signature(known, methods.get("__init__"), ast.get_docstring(node) or "")
    return found


def _resolve(base: str, aliases: dict[str, str], above: dict[str, Signature]) -> str | None:
    """The full name of a base class; None where nothing is known of it."""
    if base in above:
        return base
    head, dot, rest = base.partition(".")
    if head not in aliases:
        return None
    full = f"{aliases[head]}{dot}{rest}".removeprefix(TENSORFLOW)
    return full if full.startswith("keras.") else None


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that a file imports, with what each stands for: ``layers`` -> ``keras.layers``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                package = one.name.partition(".")[0]
                yield (one.asname, one.name) if one.asname else (package, package)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                names = imports(node.module.removeprefix(TENSORFLOW)) if one.name == "*" else [one.name]
                for name in names:
                    yield one.asname or name, f"{node.module}.{name}"
