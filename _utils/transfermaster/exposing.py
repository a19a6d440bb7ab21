"""Numbers for Prometheus, written by its own library; that is needed on the master alone, and only for this."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transferplan import errors, inventory, metrics

from . import asking, looking

try:
    import prometheus_client
except ImportError:
    prometheus_client = None


def exposed(opts: Mapping, minions: Any, file: Any) -> dict[str, Any]:
    """The numbers of all transfers as text, written to a file too if one is named."""
    reasons = _obstacles(file)
    if reasons:
        raise errors.Refused(reasons)
    hosts = asking.hosts(opts, minions)
    known = looking.know(opts, hosts, inventory.is_last_of_place)
    text = _text(metrics.families(known.listing.known, known.silent, hosts, time.time()))
    if file:
        _written(Path(file), text)
    return {"text": text, "file": file, "silent": list(known.silent), **asking.ending("ok", [])}


def _obstacles(file: Any) -> list[errors.Reason]:
    reasons = []
    if prometheus_client is None:
        reasons.append(
            errors.BadOption.reason(
                "transfer.metrics needs the Python package prometheus_client in the Python of this master: "
                "salt-pip install prometheus_client, or pip where Salt was installed by it"
            )
        )
    if file and not (str(file).startswith("/") and str(file).endswith(".prom") and Path(file).parent.is_dir()):
        reasons.append(
            errors.BadOption.reason(
                f"file={file} must be a path that ends in .prom, in a directory that exists: "
                "the one that node_exporter's --collector.textfile.directory names"
            )
        )
    return reasons


def _text(families: Iterable[metrics.Family]) -> str:
    registry = prometheus_client.CollectorRegistry()
    for family in families:
        gauge = prometheus_client.Gauge(metrics.PREFIX + family.name, family.meaning, family.labels, registry=registry)
        for labels, number in family.numbers.items():
            gauge.labels(*labels).set(number)
    return prometheus_client.generate_latest(registry).decode()


def _written(file: Path, text: str) -> None:
    """Whole or not at all: the exporter may read at any moment. Nobody can have laid a link under the name for now."""
    descriptor, part = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            os.fchmod(descriptor, 0o644)
        os.replace(part, file)
    except BaseException:
        os.unlink(part)
        raise
