"""The page of all transfers: who sees which, and that nothing on it can harm who looks."""

import pytest

from transferplan import inventory, overview
from transferplan.errors import Refused
from transferplan.overview import Viewer, viewer

HOSTILE = "<script>alert(1)</script>\x1b[2J"
TABLE = {"ann": ["db*"], "bob": ["*"], "eve": []}


def run(host, role, transfer="1" * 32, user="root", **changes):
    others = {"source": ("db2", "destination"), "destination": ("db1", "source")}[role]
    told = {"transfer": transfer, "role": role, "host": host, "phase": "moving", "alive": True, "rests": False}
    peers = [{"host": others[0], "role": others[1]}]
    return {**told, "path": "/srv", "asked_by": {"user": user}, "wall": "2026-01-01", "peers": peers, **changes}


def listing(*runs, **changes):
    return {"transfers": inventory.transfers(runs), "more": 0, "silent": [], **changes}


BOTH = (run("db1", "source"), run("db2", "destination"))


def seen(who, *runs, **changes):
    return [each["transfer"] for each in overview.page(listing(*runs, **changes), who)["transfers"]]


def test_who_works_on_the_master_sees_everything():
    assert seen(viewer("", True, None), *BOTH) == ["1" * 32]
    assert seen(viewer("UNKNOWN", False, None), *BOTH) == []


def test_a_user_sees_what_is_between_hosts_that_are_opened_to_them():
    assert seen(viewer("ann", False, TABLE), *BOTH) == ["1" * 32]
    assert seen(viewer("bob", False, TABLE), *BOTH) == ["1" * 32]
    assert seen(viewer("eve", False, TABLE), *BOTH) == []
    assert seen(viewer("who", False, TABLE), *BOTH) == []


def test_one_host_that_is_not_opened_hides_the_transfer_be_it_silent_or_not():
    web = {"peers": [{"host": "web", "role": "destination"}]}
    assert seen(viewer("ann", False, TABLE), run("db1", "source", **web)) == []
    assert seen(viewer("ann", False, TABLE), run("db1", "source", **web), run("web", "destination")) == []


def test_what_one_has_asked_for_is_seen_wherever_it_is():
    mine = run("web1", "source", user="eve", peers=[{"host": "web2", "role": "destination"}])
    assert seen(viewer("eve", False, TABLE), mine) == ["1" * 32]
    nobodys = run("web1", "source", user="UNKNOWN")
    assert seen(viewer("UNKNOWN", False, None), nobodys) == []


def test_what_is_opened_to_anybody_is_opened_to_all():
    assert seen(viewer("who", False, {"*": ["db?"]}), *BOTH) == ["1" * 32]


@pytest.mark.parametrize("table", [["ann"], {"ann": "db1"}, {"ann": [1]}, {"*": "db1"}, "ann"])
def test_a_table_that_is_none_is_refused_in_words(table):
    with pytest.raises(Refused) as refused:
        viewer("ann", False, table)
    assert "must map names of users to lists of minions" in refused.value.reasons[0].text


def test_only_silent_hosts_and_findings_that_one_may_see_are_told():
    ann = viewer("ann", False, TABLE)
    assert overview.page(listing(silent=["db7", "web"]), ann)["silent"] == ["db7"]
    assert overview.findings([{"host": "db1", "what": "x"}, {"host": "web", "what": "y"}], ann) == [
        {"host": "db1", "what": "x"}
    ]


def test_the_source_comes_first_and_who_is_silent_is_there_by_name():
    (one,) = overview.page(listing(run("db2", "destination")), Viewer("", True))["transfers"]
    assert [(end["role"], end["host"], end["phase"]) for end in one["ends"]] == [
        ("source", "db1", None),
        ("destination", "db2", "moving"),
    ]


def test_destinations_come_in_the_order_of_the_source_whoever_told_first():
    destinations = [{"host": name, "role": "destination"} for name in ("db3", "db2")]
    last = run("db2", "destination", wall="2026-01-02", peers=[{"host": "db1", "role": "source"}, *destinations[:1]])
    (one,) = overview.page(listing(last, run("db1", "source", peers=destinations)), Viewer("", True))["transfers"]
    assert [end["host"] for end in one["ends"]] == ["db1", "db3", "db2"]


def test_no_more_are_shown_than_one_can_look_at_and_the_rest_is_counted():
    over = {"phase": "published", "alive": False}
    many = [run("db1", "source", transfer=f"{number:032x}", **over) for number in range(60)]
    told = overview.page(listing(*many, more=3), Viewer("", True))
    assert (len(told["transfers"]), told["more"]) == (50, 13)


def test_what_is_not_over_is_shown_however_many_newer_ones_there_are():
    over = {"phase": "published", "alive": False, "wall": "2026-02-02"}
    newer = [run("db1", "source", transfer=f"{number:032x}", **over) for number in range(60)]
    alive = [run("db1", "source", transfer=f"{number:032x}") for number in range(100, 155)]
    told = overview.page(listing(*newer, *alive[:2]), Viewer("", True))
    assert [each["state"] for each in told["transfers"]] == ["finished"] * 48 + ["running"] * 2 and told["more"] == 12
    told = overview.page(listing(*newer, *alive), Viewer("", True))
    assert {each["state"] for each in told["transfers"]} == {"running"}
    assert (len(told["transfers"]), told["more"]) == (55, 60)


def test_nothing_that_a_minion_wrote_steers_a_terminal_or_grows_without_bound():
    told = overview.page(listing(run("db1", "source", path=HOSTILE + "x" * 9000, phase=HOSTILE)), Viewer("", True))
    (source, _) = told["transfers"][0]["ends"]
    assert "\x1b" not in str(told) and len(source["path"]) <= overview.LONGEST_TEXT
