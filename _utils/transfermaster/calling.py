"""How Salt calls a runner: which keywords it adds by itself, and what does not fit a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

SALTS_OWN = {"__kwarg__", "__id__", "__sls__", "__env__", "__orchestration_jid__", "__jid__", "__tag__", "__user__"}


def without_salts_own(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that the caller gave, without those that Salt adds for a reaction, an orchestration or a job."""
    return {name: value for name, value in given.items() if not name.startswith("__pub_") and name not in SALTS_OWN}


def misfit(function: Callable, module: str, args: Sequence[Any], given: Mapping[str, Any]) -> str:
    """What the function does not take or lacks, as a sentence; empty if all fits."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **given)
    except TypeError as error:
        takes = ", ".join(signature.parameters) or "nothing"
        return f"{module}.{function.__name__.rstrip('_')}: {error}; it takes {takes}"
    return ""
