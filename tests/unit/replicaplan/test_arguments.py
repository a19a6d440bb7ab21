"""What a host is given: what can be meant is read, all else refused by the name of its argument."""

import pytest

from replicaplan import arguments
from replicaplan.errors import ReplicaRefused


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (arguments.text, [None, 5, ["a"], b"a"]),
        (arguments.path, [None, 5, "", "relative", "/a\0b", ["/a"]]),
        (arguments.truth, [None, 0, 1, "no", "True"]),
        (arguments.whole, [None, -1, True, 1.5, "a", "²", "-1", [], 2**64]),
        (arguments.seconds, [None, -1, True, "soon", float("nan"), float("inf"), [], 8 * 86400]),
        (arguments.names, [None, 5, "db2", [5], {"db2": 1}]),
        (arguments.mapping, [None, 5, "{}", ["a"]]),
        (arguments.place_in_log, [None, [1], {}, {"gtid": 5}, {"file": "b.1"}, {"gtid": "0-1-2", "position": -1}]),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_cannot_be_meant_is_refused_by_its_name_in_few_words(read, values):
    for value in [*values, "x" * 999 if read is arguments.whole else object()]:
        with pytest.raises(ReplicaRefused, match="what[:a-z]* has to be") as refused:
            read("what", value)
        assert len(refused.value.text) < 250


def test_what_can_be_meant_is_read():
    assert (arguments.text("a", ""), arguments.path("a", "/srv"), arguments.truth("a", False)) == ("", "/srv", False)
    assert (arguments.whole("a", "12"), arguments.seconds("a", "1.5")) == (12, 1.5)
    assert arguments.names("a", ["db2"]) == ("db2",)
    assert arguments.place_in_log("a", {"gtid": "0-1-2"}) == {"gtid": "0-1-2", "file": "", "position": 0}
    assert arguments.place_in_log("a", {"file": "b.1", "position": "9"}) == {"gtid": "", "file": "b.1", "position": 9}
