"""The tables of the settings of databases, and what is told of names and values that they do not have."""

import pytest

from replicaplan import repair
from replicaplan.errors import ReplicaRefused
from replicaplan.settings import CLUSTER, HOST, REPAIR

SECTIONS = (HOST, REPAIR)
EVERY = [pytest.param(setting, id=name) for section in SECTIONS for name, setting in section.spread()]
WELL = {"primary": "db1", "replicas": ["db2", "db3"]}
HOME = "in the master's configuration"


def in_a(**parts):
    return {"clusters": {"a": {**WELL, **parts}}}


def reasons(found):
    with pytest.raises(ReplicaRefused) as error:
        repair.rules(found)
    return error.value.evidence["reasons"]


@pytest.mark.parametrize("setting", EVERY)
def test_every_setting_takes_its_own_example_and_its_default_if_it_has_one(setting):
    assert setting.kind.against(HOST.place, setting.example) == []
    if setting.default not in (None, ""):
        assert setting.kind.against(HOST.place, setting.default) == []
    assert setting.meaning.endswith(".") and setting.kind.takes


def test_a_password_is_told_where_to_live_and_its_example_is_none():
    passwords = [each for _, each in HOST.spread() if each.name == "password"]
    assert len(passwords) == 2
    for each in passwords:
        assert "A secret: let it stand in the pillar of this minion alone" in each.meaning
        assert each.example.startswith("the password of ")


def test_the_rules_mirror_the_tables():
    assert [*repair.Rules.__dataclass_fields__] == [each.name for each in REPAIR.table.settings]
    assert [*repair.Cluster.__dataclass_fields__] == ["name", *(each.name for each in CLUSTER.settings)]
    assert repair.rules({}) == repair.Rules()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"Cooldown": 1}, "replica_repair:Cooldown is no setting; did you mean cooldown?"),
        ({"zzz": 1}, "replica_repair:zzz is no setting; there are clusters, cooldown, daily, approve, state."),
        ({None: 1}, "replica_repair:None is no setting; there are clusters, cooldown, daily, approve, state."),
        ({"a\nb": 1}, "replica_repair:'a\\nb' is no setting; there are clusters, cooldown, daily, approve, state."),
        (in_a(donr="db2"), "replica_repair:clusters:a:donr is no setting; did you mean donor?"),
        ({"clusters": {"a": {"replicas": []}}}, "replica_repair:clusters:a needs primary and replicas."),
        ({"clusters": {"a": ["db1"]}}, f"replica_repair:clusters:a {HOME} is no mapping."),
        ({"clusters": ["a"]}, f"replica_repair:clusters {HOME} has to be a mapping of names to mappings, not ['a']."),
        (in_a(replicas="db2"), f"replica_repair:clusters:a:replicas {HOME} has to be a list of names, not 'db2'."),
        ({"approve": None}, f"replica_repair:approve {HOME} has to be true or false, not None."),
        (["clusters"], f"replica_repair {HOME} is no mapping."),
    ],
)
def test_what_is_no_rule_is_told_with_where_it_stands_and_what_belongs_there(written, reason):
    assert reasons(written) == [reason]


def test_everything_that_is_wrong_is_told_at_once():
    """Also what is wrong in a cluster and between clusters beside what is wrong above them."""
    bad = {"primary": 7, "replicas": ["db8", "db8"], "donr": "db8"}
    told = reasons({"dayly": 1, "state": "x", "clusters": {"a": WELL, "b": WELL, "c": bad, "": WELL}})
    assert len(told) == 2 + 3 + 1 + 3
    assert len([each for each in told if "is in the clusters a and b" in each]) == 3


def test_a_value_that_is_wrong_is_shown_in_short():
    (told,) = reasons({"cooldown": "x" * 500})
    assert len(told) < 250 and told.endswith("....")
