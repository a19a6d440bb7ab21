"""What sys.doc and `salt-run -d` show: every function says what it returns, and by example how it is called."""

import re

import pytest

from tests.conftest import CHECKOUT

CALLS = {"modules": r"salt (?:'[^']+'|\S+) ", "runners": r"salt-run (?:--\S+ )*"}


def faces(folder):
    return sorted(path.stem for path in (CHECKOUT / folder).glob("*.py"))


def functions(loaded, kind):
    """Names of all public functions of our modules or runners."""
    return [name for name in loaded if name.partition(".")[0] in faces(f"_{kind}")]


@pytest.fixture(params=CALLS)
def kind(request):
    return request.param


@pytest.fixture
def loaded(request, kind):
    return request.getfixturevalue(kind)


def test_every_face_is_loaded_under_its_own_name(loaded, kind):
    assert {name.partition(".")[0] for name in functions(loaded, kind)} == set(faces(f"_{kind}"))


def test_no_face_takes_a_name_that_salt_uses(kind):
    import salt

    taken = {path.stem for path in (CHECKOUT / salt.__path__[0] / kind).glob("*.py")}
    assert set(faces(f"_{kind}")) & taken == set()


def test_every_function_shows_how_it_is_called(loaded, kind):
    silent = [name for name in functions(loaded, kind) if not example_of(loaded[name], name, CALLS[kind])]
    assert silent == []


def test_every_function_says_what_it_returns(loaded, kind):
    docs = {name: loaded[name].__doc__ or "" for name in functions(loaded, kind)}
    assert [name for name, doc in docs.items() if not re.search(r"\breturns?\b", doc, re.IGNORECASE)] == []


def example_of(function, name, call):
    """The lines of a function's CLI example that call it."""
    _, found, example = (function.__doc__ or "").partition("CLI Example")
    lines = re.findall(rf"^ +{call}{re.escape(name)}\b.*$", example, re.MULTILINE)
    return lines if found and ".. code-block:: bash" in example else []


def test_every_state_says_what_it_returns_and_shows_how_it_is_declared(minion_opts, modules):
    import salt.loader

    loaded = salt.loader.states({**minion_opts, "grains": {}, "pillar": {}}, modules, {}, None)
    ours = [name for name in loaded if name.partition(".")[0] in faces("_states")]
    assert "transfer.copied" in ours
    for name in ours:
        doc = loaded[name].__doc__
        assert "Returns" in doc and re.search(rf"^ +{re.escape(name)}:$", doc, re.MULTILINE), name
