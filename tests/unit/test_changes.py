"""Every fragment of the changelog is of a kind that a release takes, and says something in a sentence."""

import re

import pytest

from tests.conftest import CHECKOUT

FRAGMENTS = [path for path in (CHECKOUT / "changes").iterdir() if path.name != "README.md"]
KINDS = re.findall(r'^directory = "(\w+)"$', (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)[1:]


def test_the_kinds_are_those_that_the_readme_of_fragments_tells():
    told = (CHECKOUT / "changes/README.md").read_text()
    assert KINDS and all(f"`{kind}`" in told for kind in KINDS)


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_has_a_kind_and_is_a_sentence(fragment):
    assert re.fullmatch(rf"(\d+|\+[a-z0-9-]+)\.({'|'.join(KINDS)})\.md", fragment.name)
    text = fragment.read_text()
    assert re.match("[A-Z`]", text) and text.endswith(".\n")
