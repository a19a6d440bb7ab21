"""The real fleet and the runner on a bus that loses, doubles and delays: the same verdict, by asking."""

import pytest
import salt.client
import salt.loader

import saltface
from tests.support.disturbed_bus import CARRIED, LATE, LOST, First, MemoryClient, doubled, fleets
from tests.support.fleet import FleetConformance
from tests.unit.transferplan import samples
from transferplan.request import Member

PLACES = {"src": "alpha:/srv/data", "dst": "beta:/srv/data"}
STEPS = {"alpha": ["prepare", "arm", "go", "follow"], "beta": ["prepare", "arm", "follow"]}
LATER_THAN_PATIENCE = (7.0,)


@pytest.fixture
def on_a_bus(monkeypatch):
    """on_a_bus(functions by minion, fate) -> the client of a master in memory, which every Fleet uses from then on."""

    def on_a_bus(minions, fate):
        client = MemoryClient(minions, fate)
        monkeypatch.setattr(salt.client, "LocalClient", lambda **_: client)
        monkeypatch.setattr(saltface, "Fleet", fleets(client))
        return client

    return on_a_bus


# --- questions -------------------------------------------------------------------------------------------------------


def raise_message(message, nonce):
    raise RuntimeError(message)


FUNCTIONS = {"test.kwarg": lambda **arguments: arguments, "test.exception": raise_message}


class ConformanceOnABus(FleetConformance):
    fate = staticmethod(lambda event: CARRIED)

    @pytest.fixture
    def fleet(self, opts, on_a_bus):
        on_a_bus({"alpha": FUNCTIONS, "beta": FUNCTIONS}, self.fate)
        with saltface.Fleet(opts) as fleet:
            yield fleet


class TestOnAGoodBus(ConformanceOnABus):
    pass


class TestOnABusThatDoubles(ConformanceOnABus):
    fate = staticmethod(doubled)


class TestOnABusThatIsSlow(ConformanceOnABus):
    """Everything comes after the question has been doubted, and before it is given up."""

    fate = staticmethod(lambda event: LATER_THAN_PATIENCE)


class TestOnABusThatLoses(FleetConformance):
    """What was lost is told as such, soon; who asks again is answered."""

    @pytest.fixture
    def fleet(self, opts, on_a_bus):
        on_a_bus({"alpha": FUNCTIONS, "beta": FUNCTIONS}, First(LOST))
        with saltface.Fleet(opts) as fleet:
            self.lose_the_first(fleet)
            yield fleet

    def lose_the_first(self, fleet):
        for function, arguments in (("test.kwarg", {}), ("test.exception", {"message": ""}), ("transfer.levitate", {})):
            asked_at = fleet.now()
            answers = fleet.ask({host: self.question(host, function, **arguments) for host in ("alpha", "beta")})
            assert {answer.trouble.name for answer in answers.values()} == {"minion-silent"}
            assert fleet.now() - asked_at < saltface.PROBE_PATIENCE + 6


# --- a copy ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(opts, minions, on_a_bus, context):
    """copied(fate) -> what a copy on such a bus gave."""

    def copied(fate):
        on_a_bus({name: minion.functions() for name, minion in minions.items()}, fate)
        return salt.loader.runner(opts, context=context)["transfer.copy"](**PLACES)

    return copied


FATES = pytest.mark.parametrize(
    "fate, times",
    [
        pytest.param(lambda: lambda event: CARRIED, 1, id="carried", marks=pytest.mark.slow),
        pytest.param(lambda: doubled, 1, id="doubled", marks=pytest.mark.slow),
        pytest.param(lambda: First(LOST), 2, id="lost"),
        pytest.param(lambda: First(LATE), 2, id="late", marks=pytest.mark.slow),
    ],
)


@FATES
def test_whatever_the_bus_does_the_verdict_is_the_same(copied, minions, fate, times):
    answer = copied(fate())
    assert (answer["result"], answer["retcode"], answer["reasons"]) == ("ok", 0, [])
    assert answer["receipt"]["proved"]
    assert {name: minion.asked() for name, minion in minions.items()} == {
        name: ["facts", *(step for step in steps for _ in range(times))] for name, steps in STEPS.items()
    }


@FATES
def test_a_failure_is_told_as_such_whatever_the_bus_does(copied, minions, fate, times):
    minions["beta"].says["follow"] = samples.status(Member("beta", "destination"), verdict=samples.failure())
    answer = copied(fate())
    assert (answer["result"], answer["retcode"]) == ("failed", 2)
    assert [reason["name"] for reason in answer["reasons"]] == ["source-changed"]


def test_a_return_that_is_always_lost_ends_a_copy_and_undoes_what_was_begun(copied, minions):
    answer = copied(lambda event: LOST if event["data"].get("fun") == "transfer.prepare" else CARRIED)
    assert (answer["result"], [reason["name"] for reason in answer["reasons"]]) == ("failed", ["minion-silent"] * 2)
    assert all("cancel" in minion.asked() and "go" not in minion.asked() for minion in minions.values())


def test_facts_that_are_lost_refuse_a_copy_before_anything_has_begun(copied, minions):
    answer = copied(First(LOST, but=()))
    assert (answer["result"], [reason["name"] for reason in answer["reasons"]]) == ("refused", ["minion-silent"] * 2)
    assert {name: minion.asked() for name, minion in minions.items()} == {"alpha": ["facts"], "beta": ["facts"]}
