"""How a minion's own words say where its database is, and what is told of words that cannot be meant."""

import importlib.util

import pytest

from hosttools import ownsection
from replicahost import settings
from replicaplan.errors import ReplicaRefused
from replicaplan.settings import HOST, REPLICATION
from tests.conftest import CHECKOUT

OWN = {"user": "own", "defaults_file": "/root/own.cnf"}
PILLAR = {"user": "shared", "defaults_file": "/root/shared.cnf", "password": "of the pillar"}
READERS = [("replica", "_own"), ("xtrabackup", "_settings"), ("transfer", "_login")]


def reasons(*layers):
    with pytest.raises(ReplicaRefused) as error:
        settings.read(*layers)
    return error.value.evidence["reasons"]


@pytest.mark.parametrize("layers", [("root", None), (None, ["root"]), ({"user": "dba"}, 1)])
def test_a_section_that_is_no_mapping_is_told_as_that(layers):
    assert reasons(*layers) == ["replica in this minion's configuration or pillar is no mapping."]


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"unit": ["m.service"]}, "replica:unit"),
        ({"socket": 1}, "replica:socket"),
        ({"password": 987123}, "replica:password"),
        ({"defaults_file": "/root/a\nuser=x"}, "replica:defaults_file"),
        ({"replication": {"user": True}}, "replica:replication:user"),
        ({"replication": {"password": 987123}}, "replica:replication:password"),
    ],
)
def test_what_has_to_be_text_and_is_none_is_named_and_not_shown(told, named):
    (reason,) = reasons(told)
    assert reason == f"{named} in this minion's configuration or pillar has to be text of one line, in quotes."


@pytest.mark.parametrize("value", ["many", 0, True, 1.5])
def test_a_number_of_open_files_is_one(value):
    (reason,) = reasons({"open_files": value})
    assert reason.startswith("replica:open_files in this minion's configuration or pillar has to be a whole number")


def test_what_is_named_and_left_empty_is_not_said():
    assert settings.read({"user": None, "replication": None}, {"user": "dba"}) == settings.Settings(user="dba")


def test_what_only_a_master_reads_is_no_setting_of_a_minion():
    assert "replica:repair is no setting" in reasons({"repair": {"clusters": {}}})[0]


def test_what_is_left_empty_in_a_mapping_is_not_said_either():
    """Else None were the password of a replica."""
    texts, truths = ("user", "password", "ssl_ca"), ("ssl", "ssl_verify")
    assert settings.read({"replication": dict.fromkeys((*texts, *truths))}) == settings.Settings()
    assert settings.read({"replication": dict.fromkeys(texts, "")}) == settings.Settings()


@pytest.mark.parametrize("name", ["ssl", "ssl_verify"])
def test_an_empty_text_in_the_place_of_a_truth_is_refused_and_does_not_end_in_plain_replication(name):
    """A template that finds nothing renders it."""
    where = f"replica:replication:{name} in this minion's configuration or pillar"
    assert reasons({"replication": {name: ""}}) == [f"{where} has to be true or false, not ''."]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"sokcet": "/run/s"}, "replica:sokcet is no setting; did you mean socket?"),
        ({"User": "dba"}, "replica:User is no setting; did you mean user?"),
        ({"replications": {}}, "replica:replications is no setting; did you mean replication?"),
        ({"replication": {"pasword": "x"}}, "replica:replication:pasword is no setting; did you mean password?"),
        ({"replication": {"x": 1}}, "replica:replication:x is no setting; there are user, password, ssl, "),
        ({"replication": ["repl"]}, "replica:replication in this minion's configuration or pillar is no mapping."),
    ],
)
def test_a_name_that_is_none_is_told_with_the_nearest(written, reason):
    (told,) = reasons(written)
    assert told.startswith(reason)


def test_everything_that_is_wrong_is_told_at_once_and_no_password_is_shown():
    wrong = {"ssl": False, "ssl_ca": "/a.pem", "user": 1, "ssl_verify": "x", "password": ["987123"]}
    told = reasons({"unit": 1, "open_files": 0, "sock": "987123", "replication": wrong})
    assert len(told) == 7 and "987123" not in " ".join(told)


def test_what_is_read_mirrors_the_tables():
    assert [*settings.Settings.__dataclass_fields__] == [each.name for each in HOST.table.settings]
    assert [*settings.Replication.__dataclass_fields__] == [each.name for each in REPLICATION.settings]
    assert HOST.place.path == ownsection.NAME
    assert all(name.removesuffix(".service") in HOST.table.settings[0].meaning for name in settings.UNITS)


@pytest.mark.parametrize(("module", "reader"), READERS)
def test_a_minions_own_configuration_wins_over_its_pillar_whatever_it_is_asked_for(module, reader):
    face = loaded(module)
    face.__opts__, face.__pillar__ = {"replica": OWN}, {"replica": PILLAR}
    told = getattr(face, reader)()
    assert (told.user, told.defaults_file, told.password) == ("own", "/root/own.cnf", "of the pillar")


@pytest.mark.parametrize(("module", "reader"), READERS)
def test_an_empty_setting_of_a_minion_hides_nothing_that_its_pillar_says(module, reader):
    face = loaded(module)
    face.__opts__, face.__pillar__ = {"replica": {"user": "", "password": None}}, {"replica": PILLAR}
    told = getattr(face, reader)()
    assert (told.user, told.password) == (PILLAR["user"], PILLAR["password"])


def loaded(name):
    """An execution module as its file stands, without Salt's loader."""
    spec = importlib.util.spec_from_file_location(f"{name}_module", CHECKOUT / f"_modules/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
