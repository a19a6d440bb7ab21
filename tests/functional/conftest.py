"""Salt's real loaders over this checkout, without any daemon."""

import pytest
import salt.config
import salt.loader

from tests.conftest import CHECKOUT


@pytest.fixture(scope="session")
def minion_opts(tmp_path_factory):
    return opts_below(tmp_path_factory.mktemp("minion"), salt.config.DEFAULT_MINION_OPTS, "minion")


@pytest.fixture(scope="session")
def master_opts(tmp_path_factory):
    return opts_below(tmp_path_factory.mktemp("master"), salt.config.DEFAULT_MASTER_OPTS, "master")


def opts_below(root, defaults, role):
    """Opts that load this checkout and keep everything else below `root`."""
    places = {name: str(root / name) for name in ("cachedir", "pki_dir", "sock_dir", "extension_modules")}
    return {**defaults, **places, "root_dir": str(root), "id": role, "__role": role, "module_dirs": [str(CHECKOUT)]}


@pytest.fixture(scope="session")
def modules(minion_opts):
    """The execution modules as a minion sees them."""
    return salt.loader.minion_mods({**minion_opts, "grains": {}, "pillar": {}})


@pytest.fixture(scope="session")
def runners(master_opts):
    """The runners as a master sees them."""
    return salt.loader.runner(master_opts)
