"""What people give the runner: what can be meant is read, all else refused in words before any host is asked."""

import pytest

from replicamaster import given
from replicaplan.errors import ReplicaRefused
from transferplan.options import TABLE


@pytest.mark.parametrize("names", ["db2, db3,db2,", ["db2", "db3", "db2"], ("db2 ", "db3", "")])
def test_names_are_a_list_or_words_with_commas_and_each_counts_once(names):
    assert given.minions("replicas", names) == ("db2", "db3")


@pytest.mark.parametrize("names", [5, None, True, {"db2": 1}, ["db2", 7], ["db2", ["db3"]], b"db2"])
def test_what_is_no_list_of_names_is_refused_by_its_argument(names):
    with pytest.raises(ReplicaRefused, match="replicas has to be names of minions"):
        given.minions("replicas", names)


@pytest.mark.parametrize("names", ["", " , ", [], [""]])
def test_to_confirm_nobody_is_a_word_and_to_rebuild_nobody_is_none(names):
    assert given.minions("confirm", names) == ()
    with pytest.raises(ReplicaRefused, match="replicas names no minion"):
        given.some_minions("replicas", names)


def test_a_name_counts_as_it_is_so_that_none_is_taken_for_another():
    assert given.minion("host", "beta\u2028") == "beta\u2028"


@pytest.mark.parametrize("name", [None, 5, "", " ", ["db1"], {"a": 1}])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ReplicaRefused, match="source has to be the name of a minion"):
        given.minion("source", name)


NO_TIMES = [-1, 0, 8 * 86400, float("inf"), float("nan"), True, "²", "1e3", None, [], "x" * 999]


@pytest.mark.parametrize("seconds", NO_TIMES)
def test_what_is_no_time_to_wait_is_refused_in_few_words(seconds):
    with pytest.raises(ReplicaRefused, match="timeout has to be a whole number from 1 to 604800, not") as refused:
        given.value("timeout", given.WAIT, seconds)
    assert len(refused.value.text) < 300


def test_words_of_an_orchestration_are_read_as_they_are_meant():
    assert (given.truth("in_service", "no"), given.truth("in_service", "True")) == (False, True)
    with pytest.raises(ReplicaRefused, match="in_service has to be True or False"):
        given.truth("in_service", "perhaps")


def test_options_of_the_copy_pass_as_they_are():
    assert given.copy_options({"limit": "50MB/s", "streams": 4}) == {"limit": "50MB/s", "streams": 4}


def test_what_a_clone_says_itself_is_refused_by_its_name_all_at_once():
    wrong = {**dict.fromkeys(given.CLONES_OWN, True), "bogus": 1, "state_dir": "/x", 7: 8, "streams": "many"}
    with pytest.raises(ReplicaRefused) as refused:
        given.copy_options(wrong)
    reasons = refused.value.evidence["reasons"]
    assert [reason.split()[1] for reason in reasons] == [*given.CLONES_OWN, "'bogus'", "'state_dir'", "7", "streams"]
    assert "options: type is what a clone says itself" in reasons[given.CLONES_OWN.index("type")]


def test_what_a_clone_says_itself_is_places_or_options_that_there_are():
    places = {"src", "dst", "targets", "target_type", "key", "test"}
    assert set(given.CLONES_OWN) - places <= set(TABLE)


@pytest.mark.parametrize("options", [5, "limit=5", ["limit"], True])
def test_options_that_are_no_mapping_are_refused(options):
    with pytest.raises(ReplicaRefused, match="options has to be a mapping"):
        given.copy_options(options)
