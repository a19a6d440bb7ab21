"""A master in memory: the runner, loaded by Salt's loader, and minions that answer and sign."""

import pytest
import salt.loader

import saltface
from tests.support.fleet import FakeFleet

from .world import FakeMinion


@pytest.fixture(scope="session")
def keyring(tmp_path_factory):
    """Minions with keys; making those takes a moment, so it is done once."""
    root = tmp_path_factory.mktemp("minions")
    return {name: FakeMinion(name, root) for name in ("alpha", "beta", "gamma", "delta")}


@pytest.fixture
def names():
    """Which of them are there."""
    return ("alpha", "beta")


@pytest.fixture
def minions(keyring, names):
    for minion in keyring.values():
        minion.calls, minion.says, minion.specs = [], {}, {}
    return {name: keyring[name] for name in names}


@pytest.fixture
def opts(master_opts, tmp_path, minions):
    opts = {**master_opts, "pki_dir": str(tmp_path), "__cli": "salt-run", "color": False}
    (tmp_path / "minions").mkdir()
    for name, minion in minions.items():
        (tmp_path / "minions" / name).write_bytes(minion.public)
    return opts


@pytest.fixture
def fleet(monkeypatch, minions):
    fleet = FakeFleet({name: minion.functions() for name, minion in minions.items()})
    monkeypatch.setattr(saltface, "Fleet", lambda opts: fleet)
    return fleet


@pytest.fixture
def context():
    return {}


@pytest.fixture
def run(opts, fleet, context):
    """Run a function of the runner as Salt does; its exit status must agree with what it returns."""
    loaded = salt.loader.runner(opts, context=context)

    def run(name, *args, **kwargs):
        answer = loaded[f"transfer.{name}"](*args, **kwargs)
        assert context["retcode"] == answer["retcode"]
        return answer

    return run
