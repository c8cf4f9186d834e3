"""The one exception of this verifier: a refusal, with a code of SPEC 15."""

from typing import NoReturn


class Refusal(Exception):
    """Input that SPEC.md says to refuse."""

    def __init__(self, code: str, why: str):
        super().__init__(f"{code}: {why}")
        self.code = code


def refuse(code: str, why: str) -> NoReturn:
    raise Refusal(code, why)


def require(condition: bool, code: str, why: str) -> None:
    """Raise the refusal unless `condition` holds."""
    if not condition:
        raise Refusal(code, why)
