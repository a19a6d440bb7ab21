"""What lies in a data directory, and which can be exchanged."""

import pytest

from replicaplan.places import against_mount_point, is_below


@pytest.mark.parametrize(
    ("place", "below"),
    [
        ("/var/lib/mysql", True),
        ("/var/lib/mysql/", True),
        ("/var/lib/mysql/log/bin", True),
        ("log/bin", True),
        ("./", True),
        ("../mysql/log", True),
        ("../mysql2/log", False),
        ("/var/lib/mysql2", False),
        ("/var/log/mysql/bin", False),
    ],
)
def test_what_is_relative_counts_from_the_data_directory(place, below):
    assert is_below("/var/lib/mysql/", place) == is_below("/var/lib/mysql", place) == below


def test_all_is_below_the_root():
    assert is_below("/", "/anything")


def test_a_mount_point_is_refused_with_a_place_that_would_do():
    (sentence,) = against_mount_point("/srv/mysql", "db2")
    assert "a mount point and cannot be exchanged" in sentence and "such as /srv/mysql/data" in sentence
