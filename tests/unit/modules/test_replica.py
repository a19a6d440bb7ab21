"""The module `replica` whatever it is given: an error in words, signed for who asked with a nonce, and no traceback."""

import importlib.util

import pytest
from salt.exceptions import CommandExecutionError

from replicahost import discovery
from tests.conftest import CHECKOUT
from tests.unit.replicaplan import facts


@pytest.fixture
def host(tmp_path, monkeypatch):
    """The module on a host of which nothing may be asked."""
    spec = importlib.util.spec_from_file_location("replica_module", CHECKOUT / "_modules/replica.py")
    host = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(host)
    host.__opts__, host.__pillar__ = {"id": "db2", "transfer": {"state_dir": str(tmp_path)}}, {}
    monkeypatch.setattr(host.saltface, "sign", lambda _opts, _data: "signed")

    def asked(*_, **__):
        raise AssertionError("the host was looked at")

    monkeypatch.setattr(discovery, "place", asked)
    return host


HOSTILE = [
    ("check", {"prepared": 5}, "prepared has to be an absolute path"),
    ("check", {"prepared": "/x", "in_service": "no"}, "in_service has to be True or False"),
    ("fitness", {"confirm_in": 5}, "confirm_in has to be a list of names"),
    ("login", {"primary": None}, "primary has to be a text"),
    ("login", {"primary": "db1", "port": "a"}, "port has to be a whole number"),
    ("prepare", {"target": ["x"]}, "target has to be an absolute path"),
    ("install", {"prepared": "x", "confirm": "db2"}, "prepared has to be an absolute path"),
    ("install", {"prepared": "/x", "confirm": "db2", "discard_own_writes": 1}, "discard_own_writes has to be True"),
    ("point", {"primary": "db1", "coordinates": [1]}, "coordinates has to be a mapping"),
    ("point", {"primary": "db1", "port": 70000, "coordinates": {"gtid": "0-1-2"}}, "port has to be a whole number"),
    ("start_replication", {"timeout": "soon"}, "timeout has to be seconds"),
    ("wait", {"lag": "x"}, "lag has to be seconds"),
    ("wait", {"lag": 5, "samples": None}, "samples has to be a whole number"),
    ("wait", {"gtid": 5}, "gtid has to be a text"),
    ("pause", {"lease": "²"}, "is no number of seconds"),
    ("advance", {"mark": {}}, "mark has to be a mapping with gtid"),
    ("advance", {"mark": None}, "mark has to be a mapping"),
    ("advance", {"mark": {"gtid": "0-1-2"}, "timeout": []}, "timeout has to be seconds"),
    ("count", {"name": "x", "stands": "no"}, "stands has to be True or False"),
    ("page", {"name": "x", "number": "a"}, "number has to be a whole number"),
    ("proved", {"proof": "well"}, "proof has to be a mapping"),
    ("drop_old", {"confirm": {"a": 1}}, "confirm has to be an absolute path"),
    ("roll_back", {"lost": 5}, "lost has to be a text"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), HOSTILE)
def test_what_cannot_be_meant_is_refused_in_words_before_anything(host, name, arguments, words):
    with pytest.raises(CommandExecutionError, match=words):
        getattr(host, name)(**arguments)
    answer = getattr(host, name)(**arguments, nonce="ab" * 16)
    error = answer["statement"]["payload"]["error"]
    assert (error["name"], answer["signature"]) == ("replica-refused", "signed") and words in error["text"]


def test_what_nobody_foresaw_is_told_by_a_signed_answer_too(host, monkeypatch):
    """Without one the master would take the host for silent."""

    def stumble(*_):
        raise KeyError("nobody foresaw it")

    monkeypatch.setattr(discovery, "place", stumble)
    error = host.info(nonce="ab" * 16)["statement"]["payload"]["error"]
    assert (error["name"], error["text"]) == (
        "internal-error", "a bug: KeyError('nobody foresaw it'); the traceback is in the minion's log",
    )
    with pytest.raises(KeyError):
        host.info()


@pytest.mark.parametrize("told", [facts.server(), facts.unit(), facts.files(), facts.channel(), facts.log()])
def test_all_that_is_told_of_a_server_is_named_where_people_look_it_up(host, told):
    assert [name for name in told if f"``{name}``" not in host.info.__doc__] == []
