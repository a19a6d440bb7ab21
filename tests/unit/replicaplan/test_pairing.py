"""Which servers fit together."""

import pytest

from replicaplan.pairing import against_pair, same_ids

from .facts import replica, server


def test_two_servers_of_one_id_are_named():
    assert same_ids({"db1": server(1), "db2": server(2)}) == []
    assert same_ids({"db1": server(1), "db2": server(1)}) == ["db1 and db2 have the same server_id 1."]


def test_a_target_that_can_read_the_donors_files_is_none_to_refuse():
    assert against_pair(server(), replica(), "db2") == []


@pytest.mark.parametrize(
    ("donor", "target", "words"),
    [
        (server(variables={"innodb_page_size": 65536}), replica(), "innodb_page_size=16384, the donor 65536"),
        (server(), replica(variables={"lower_case_table_names": 1}), "lower_case_table_names=1, the donor 0"),
        (server(vendor="mysql"), replica(), "db2 runs mariadb, the donor mysql"),
        (server(version="11.4.2-MariaDB"), replica(), "is older than the donor's 11.4.2-MariaDB"),
        (server(plugins=["file_key_management"]), replica(), "lacks plugins that the donor has: file_key_management"),
        (server(), replica(tools={}), "no backup tool"),
    ],
)
def test_a_target_has_to_be_able_to_read_the_donors_files(donor, target, words):
    (sentence,) = against_pair(donor, target, "db2")
    assert words in sentence
