"""The section `replica` of a host's own configuration and of its pillar, made one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAME = "replica"


def read(*layers: Any) -> dict[str, Any]:
    """Each setting from the first layer that says something of it: a minion's configuration comes before its pillar.

    ValueError, with a sentence, if one of them is no section at all.
    """
    for layer in layers:
        if layer is not None and not isinstance(layer, Mapping):
            raise ValueError(f"{NAME} in this minion's configuration or pillar is no mapping.")
    return {name: value for layer in reversed(layers) for name, value in (layer or {}).items() if says(value)}


def says(value: Any) -> bool:
    """Whether a value is more than an empty place for one."""
    return value is not None and value != ""
