"""Holds whose undoing is only noted."""

import pytest

from replicahost import timer, undoing


@pytest.fixture
def undone(monkeypatch):
    """What was undone, in order; the timer of systemd is left out."""
    seen = []
    monkeypatch.setattr(timer, "begin", lambda place: None)
    monkeypatch.setattr(timer, "remove", lambda place: [])
    monkeypatch.setitem(undoing.HANDLERS, "unit", lambda **details: seen.append(details))
    return seen
