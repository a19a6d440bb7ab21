"""What Salt reads in our orchestrations and reactor files, whatever words come from outside."""

import os

import pytest
import salt.loader
import salt.template

from tests.conftest import CHECKOUT

HOSTILE = [
    "db2",
    "a: b",
    "a # b",
    'a"b',
    "x: {test.nop: []}\u2028evil: {salt.function: [{name: cmd.run}, {tgt: '*'}, {arg: [id]}]}\u2028z: #",
    "x: {test.nop: []}\u0085evil: {cmd.run: [{name: id}]}\u0085z: #",
    "{{ salt['cmd.run']('id') }}",
]


@pytest.fixture
def render(minion_opts):
    """What Salt makes of one of our files."""

    def render(path, pillar=None, **context):
        opts = {**minion_opts, "file_client": "local", "grains": {}, "pillar": pillar or {}}
        place = os.fspath(CHECKOUT / path)
        return salt.template.compile_template(place, salt.loader.render(opts, {}), "jinja|yaml", [], [], **context)

    return render


def read(word):
    """YAML reads one kind of line break in quotes as a blank."""
    return word.replace("\u0085", " ")


@pytest.mark.parametrize("host", HOSTILE)
def test_an_alert_names_a_host_and_nothing_else(render, host):
    told = render("reactor/replica_alert.sls", tag=f"salt/beacon/{host}/service/mariadb", data={})
    assert told == {
        "recover_a_replica": {
            "runner.state.orchestrate": [{"args": [{"mods": "orch.recover_replica"}, {"pillar": {"host": read(host)}}]}]
        }
    }


@pytest.mark.parametrize("host", HOSTILE)
def test_a_repair_is_one_step_whatever_the_host_is_called(render, host):
    told = render("orch/recover_replica.sls", {"host": host})
    assert told == {"recover_a_replica": {"salt.runner": [{"name": "replica.recover"}, {"host": read(host)}]}}


@pytest.mark.parametrize("word", HOSTILE)
def test_a_clone_is_one_step_whatever_is_asked(render, word):
    pillar = {"source": word, "replicas": [word], "confirm": [word], "primary": word, "options": {"verify": word}}
    told = render("orch/clone_replica.sls", pillar)
    word = read(word)
    asked = [{"source": word}, {"replicas": [word]}, {"confirm": [word]}, {"primary": word}, {"verify": word}]
    assert told == {"clone_replicas": {"salt.runner": [{"name": "replica.clone"}, *asked]}}


@pytest.mark.parametrize("word", HOSTILE)
def test_a_copy_is_one_step_whatever_is_asked(render, word):
    told = render("orch/copy_tree.sls", {"source": word, "destination": word, "options": {"verify": word}})
    word = read(word)
    assert told == {
        "copy_a_tree": {"salt.runner": [{"name": "transfer.copy"}, {"src": word}, {"dst": word}, {"verify": word}]}
    }


@pytest.mark.parametrize("word", HOSTILE)
def test_an_event_that_a_dataset_is_ready_is_one_copy_of_it(render, word):
    told = render("reactor/copy_when_ready.sls", data={"data": {"dataset": "orders", "edition": word}})
    (step,) = told.values()
    (asked,) = step["runner.transfer.start"]
    assert asked["args"][-1] == {"key": f"orders {read(word)[:100]}"}
