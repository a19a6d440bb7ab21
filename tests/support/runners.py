"""A runner as its file stands, without Salt's loader: for what needs no minion."""

import importlib.util

from tests.conftest import CHECKOUT


def load(name, **opts):
    """The module of the runner, typed at a command line that asks for no form."""
    spec = importlib.util.spec_from_file_location(f"{name}_runner", CHECKOUT / f"_runners/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__opts__, module.__context__ = {"__cli": "salt-run", **opts}, {}
    return module
