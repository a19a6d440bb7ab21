"""What is generated says what the program does."""

import re

import pytest
import yaml

from transferplan import errors, reference, settings
from transferplan.options import COMMAND, MASTER, MINION, OPTIONS, PILLAR, TABLE

LAYERS = {"master.conf": MASTER, "transfer.sls": PILLAR, "minion.conf": MINION}


def uncommented(text, section="transfer"):
    """A section that an administrator gets who leaves the sentences away and activates the rest."""
    lines = [line for line in text.splitlines() if not re.match(r"  # \S", line)]
    return yaml.safe_load("\n".join(re.sub("^  #", "  ", line) for line in lines))[section]


@pytest.mark.parametrize("name", reference.EXAMPLES)
def test_an_example_as_it_is_changes_nothing(name):
    assert yaml.safe_load(reference.example(name)) == {"transfer": None}


@pytest.mark.parametrize("name", ["master.conf", "transfer.sls"])
def test_an_example_without_its_comment_signs_holds_the_defaults(name):
    section = uncommented(reference.example(name))
    section.pop("profiles", None)
    assert set(section) == {option.name for option in OPTIONS if option.scope in reference.EXAMPLES[name][0]}
    values = settings.resolve([(LAYERS[name], section)])
    assert values.values() == settings.resolve([]).values()


def test_the_example_of_a_minion_shows_its_policy():
    section = uncommented(reference.example("minion.conf"))
    assert section["policy"]["sources"] == {"allow": ["/srv"], "deny": ["/srv/secret"]}
    settings.resolve([(MINION, section)])


def test_the_profiles_of_the_example_can_be_asked_for():
    section = uncommented(reference.example("master.conf"))
    values = settings.resolve([(MASTER, section), (COMMAND, {"profile": "wan", "limit": "1MB/s"})])
    assert (values.streams, values.compress, values.limit) == (8, "zstd:9", 1_000_000)


def test_every_option_is_on_its_page_once():
    page = reference.options_page()
    for name, option in TABLE.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert option.meaning in row and option.kind.takes in row


def test_every_error_is_on_its_page_with_its_code():
    page = reference.errors_page({"All": reversed(errors.ERRORS)})
    rows = re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", page, flags=re.MULTILINE)
    assert rows == [(str(error.code), error.name) for error in errors.ERRORS]


def test_a_bar_in_a_cell_does_not_end_the_cell():
    class Odd(errors.PlanError):
        """This | that."""

        code, name = 39, "odd"

    assert "This \\| that." in reference.errors_page({"Odd": [Odd]})
