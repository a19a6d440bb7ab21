"""What is told of a server, as `replica.info` tells it, of a channel of its replication, or of a backup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Facts = Mapping[str, Any]
