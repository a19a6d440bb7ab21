"""What may be cloned."""

import pytest

from replicaplan.donor import against_donor

from .facts import channel, down, files, replica, server


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (down(server()), "does not run"),
        (server(schemas=[]), "holds no schema"),
        (server(variables={"log_bin": "OFF"}), "log_bin"),
        (server(galera=True), "Galera"),
        (replica(channels=[channel(sql_errno=1062, sql_error="dup")]), "with an error: dup"),
        (replica(channels=[channel(filters={"Replicate_Do_DB": "x"})]), "only a part"),
        (replica(channels=[channel(delay=3600)]), "3600 s behind its primary on purpose"),
        (replica(channels=[channel(), channel()]), "several primaries"),
        (server(files=files(elsewhere=["shop/t.isl"])), "holds shop/t.isl, which leads to data outside of it"),
        (replica(installation={"step": "replicating"}), "not settled yet"),
    ],
)
def test_what_is_no_donor_is_refused(told, words):
    (sentence,) = against_donor(told, "db1")
    assert words in sentence
