"""One target under atheris, which looks for inputs that reach new code: `python -m tests.fuzz.guided TARGET`."""

import sys

import atheris

with atheris.instrument_imports(include=["datamover", "hosttools", "transferplan", "transferworker"]):
    from tests.fuzz.targets import targets

atheris.Setup([sys.argv[0], *sys.argv[2:]], targets()[sys.argv[1]])
atheris.Fuzz()
