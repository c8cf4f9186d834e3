"""Values in JSON, as `vectors/README.md` writes them: `{"int": 5}`, `{"text": "a"}`, and byte strings in hex."""

import struct
from typing import Any


def plain(tagged: dict[str, Any]) -> Any:
    """The value that was written with its type."""
    ((kind, value),) = tagged.items()
    if kind == "null":
        return None
    if kind == "bytes":
        return bytes.fromhex(value)
    if kind == "utf16":
        return bytes.fromhex(value).decode("utf-16-be", "surrogatepass")
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(value))[0]
    if kind == "array":
        return [plain(item) for item in value]
    if kind == "map":
        return {key: plain(item) for key, item in value}
    return value


def tag(value: Any) -> dict[str, Any]:
    """A value of the encoding with its type."""
    if value is None:
        return {"null": True}
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": value}
    if isinstance(value, float):
        return {"float": struct.pack(">d", value).hex()}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list):
        return {"array": [tag(item) for item in value]}
    return {"map": [[key, tag(item)] for key, item in value.items()]}


def shown(value: Any) -> Any:
    """An output: byte strings in hex, all else as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return value
