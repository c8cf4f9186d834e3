"""The part of JSON Schema that `vectors/schema` uses, checked without a dependency.

A keyword that is not known here fails: a schema that grows must not be half checked.
"""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
}
_KNOWN = {
    "$schema", "$defs", "$ref", "title", "type", "properties", "additionalProperties", "required", "const", "pattern",
    "minLength", "minItems", "maxItems", "items", "prefixItems", "oneOf",
}


def problems(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "") -> list[str]:
    """What in `value` breaks `schema`, as sentences with a path; empty if nothing does."""
    assert set(schema) <= _KNOWN, f"unknown keywords in the schema: {set(schema) - _KNOWN}"
    if "$ref" in schema:
        return problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "oneOf" in schema:
        fitting = [option for option in schema["oneOf"] if not problems(value, option, root, where)]
        return [] if len(fitting) == 1 else [f"{where}: fits {len(fitting)} of the alternatives"]
    found = []
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        found.append(f"{where}: is not {schema['const']!r}")
    if "type" in schema and not _is(value, schema["type"]):
        return [*found, f"{where}: is no {schema['type']}"]
    if isinstance(value, str):
        found += _string(value, schema, where)
    elif isinstance(value, list):
        found += _array(value, schema, root, where)
    elif isinstance(value, dict):
        found += _object(value, schema, root, where)
    return found


def _is(value: Any, name: str) -> bool:
    if name == "integer" and isinstance(value, bool):
        return False
    return isinstance(value, _TYPES[name])


def _string(value: str, schema: dict[str, Any], where: str) -> list[str]:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{where}: does not match {schema['pattern']}"]
    return [f"{where}: is too short"] if len(value) < schema.get("minLength", 0) else []


def _array(value: list[Any], schema: dict[str, Any], root: dict[str, Any], where: str) -> list[str]:
    found = []
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        found.append(f"{where}: has {len(value)} items")
    prefix = schema.get("prefixItems", [])
    for place, item in enumerate(value):
        inner = prefix[place] if place < len(prefix) else schema.get("items")
        if inner is not None:
            found += problems(item, inner, root, f"{where}[{place}]")
    return found


def _object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], where: str) -> list[str]:
    found = [f"{where}: lacks {name}" for name in schema.get("required", []) if name not in value]
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            found += problems(item, properties[name], root, f"{where}.{name}")
        elif others is False:
            found.append(f"{where}: has a member {name} that it may not have")
        elif isinstance(others, dict):
            found += problems(item, others, root, f"{where}.{name}")
    return found
