"""The section `replica` of several layers: the first that says something of a setting wins."""

import pytest

from hosttools import ownsection


def test_the_first_that_says_something_wins():
    found = ownsection.read({"user": "own", "socket": ""}, None, {"user": "other", "socket": "/run/s", "unit": None})
    assert found == {"user": "own", "socket": "/run/s"}


def test_no_is_something_that_is_said():
    assert ownsection.read({"ssl": False, "open_files": 0}, {"ssl": True, "open_files": 7}) == {
        "ssl": False,
        "open_files": 0,
    }


@pytest.mark.parametrize("layer", ["root", ["user"], 7, False])
def test_what_is_no_section_is_told(layer):
    with pytest.raises(ValueError, match="replica in this minion's configuration or pillar is no mapping"):
        ownsection.read(None, layer)
