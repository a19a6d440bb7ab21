"""What the packages say of themselves, in the words of each packager: they may not contradict each other."""

import configparser
import re
from pathlib import Path

import pytest

from transferplan.version import VERSION

CHECKOUT = Path(__file__).resolve().parents[2]
NOT_CHOSEN = {
    "wheel": "none chosen yet, all rights reserved",
    "debian": "none-chosen-yet",
    "readme": "None has been chosen yet",
}


def read(path):
    return (CHECKOUT / path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel():
    parser = configparser.ConfigParser()
    parser.read_string(read("setup.cfg"))
    return parser


def test_the_debian_package_has_the_version_of_the_code():
    assert re.match(r"salt-transfer \(([^)]*)\)", read("debian/changelog"))[1] == VERSION


def test_the_licence_is_the_same_wherever_it_is_told(wheel):
    told = {
        "wheel": wheel["metadata"]["license"],
        "debian": re.search(r"^License: (.*)$", read("debian/copyright"), re.MULTILINE)[1],
        "readme": re.search(r"^## Licence\n\n(None has been chosen yet|\S+)", read("README.md"), re.MULTILINE)[1],
    }
    assert told == NOT_CHOSEN


def test_no_file_of_a_licence_contradicts_that_none_is_chosen():
    assert [path.name for path in CHECKOUT.iterdir() if re.match(r"(?i)licen[cs]e|copying", path.name)] == []
