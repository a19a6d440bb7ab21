"""What the ends recorded becomes another attempt, or a refusal in words."""

import pytest

from transferplan import errors, plan, records
from transferplan.options import COMMAND, MASTER, OPTIONS
from transferplan.records import Record

from .samples import (
    ALPHA,
    BETA,
    GIB,
    TRANSFER,
    alpha,
    asked,
    beta,
    destination,
    failed_records,
    failure,
    record,
    source,
    specs,
    verdict,
)

ANN = {"user": "ann", "via": "salt-run"}


def read(payloads):
    return [Record.from_payload(payload, member.host) for member, payload in payloads.items()]


def ends(payloads=None):
    return records.gather(TRANSFER, read(payloads or failed_records()))


def refusal(work):
    with pytest.raises(errors.Refused) as caught:
        work()
    return caught.value


def again(found=None, layers=(), **options):
    return records.next_attempt(found or ends(), options, layers, ANN)


def test_another_attempt_goes_to_the_same_places_with_the_same_id():
    request = again()
    assert (request.transfer, request.attempt, request.asked_by, request.reasons) == (TRANSFER, 2, ANN, ())
    assert (str(request.source), str(request.destinations[0])) == ("alpha:/srv/data", "beta:/srv/data")


def test_another_attempt_has_the_settings_of_the_first_and_fixed_options_of_hosts():
    found = ends(failed_records(digest="sha256", overwrite=True, special="fifos", network="10.77.1.0/24", streams=3))
    request = again(found, layers=[(MASTER, {"verify": "flight", "network": "10.0.0.0/8"})])
    chosen = request.settings
    assert (chosen.digest, chosen.verify, chosen.overwrite, chosen.special) == ("sha256", "readback", True, ("fifos",))
    assert (chosen.network, chosen.streams) == ("10.77.1.0/24", 3)
    assert "network" in request.settings.given()


def test_a_limit_that_was_changed_while_it_ran_holds_for_another_attempt():
    limited = failed_records(limit="50MB/s")
    assert again(ends(limited)).settings.limit == 50_000_000
    limited[ALPHA]["status"]["limit"] = 20_000_000
    assert again(ends(limited)).settings.limit == 20_000_000
    assert again(ends(limited), limit=0).settings.limit == 0


@pytest.mark.parametrize("before, now", [(0, 20 * 2**40), (20 * 2**40, 0)])
def test_blocks_stay_as_large_as_what_has_arrived_was_made_with(before, now):
    made = plan.make(asked(), {ALPHA: alpha(source(largest=before)), BETA: beta()}).specs()
    payloads = {member: record(spec, verdict=failure()) for member, spec in made.items()}
    following = plan.make(again(ends(payloads)), {ALPHA: alpha(source(largest=now)), BETA: beta()}).specs()
    assert following[BETA]["settings"]["block_size"] == made[BETA]["settings"]["block_size"]


def test_its_specs_differ_from_the_last_in_what_may_differ():
    request = again(lease="1m")
    made = plan.make(request, {ALPHA: alpha(), BETA: beta(resumable=[{"transfer": TRANSFER, "bytes": 6 * GIB}])})
    spec, before = made.specs()[BETA], specs()[BETA]
    changed = {name for name in spec if spec[name] != before[name]}
    assert changed == {"attempt", "settings", "expect", "asked_by"}
    assert (spec["attempt"], spec["settings"]["lease"], spec["expect"]["held"]) == (2, 60, 6 * GIB)
    assert made.summary()["attempt"] == 2 and made.summary()["hops"][0]["held_bytes"] == 6 * GIB


def test_it_needs_room_only_for_what_is_missing():
    full = destination(bytes_free=7 * GIB)
    assert refusal(lambda: plan.make(again(), {ALPHA: alpha(), BETA: beta(full)})).reasons[0].name == "no-space"
    rests = [{"transfer": TRANSFER, "role": "destination", "bytes": 6 * GIB}]
    assert plan.make(again(), {ALPHA: alpha(), BETA: beta(full, resumable=rests)}).hops[0].held == 6 * GIB


def test_what_another_transfer_left_makes_no_room():
    full = destination(bytes_free=7 * GIB)
    rests = [{"transfer": "f" * 32, "role": "destination", "bytes": 6 * GIB}]
    assert refusal(lambda: plan.make(again(), {ALPHA: alpha(), BETA: beta(full, resumable=rests)}))


@pytest.mark.parametrize("option", [{"digest": "blake3"}, {"overwrite": True}, {"owners": "numbers"}])
def test_what_has_arrived_cannot_get_another_meaning(option):
    (reason,) = again(ends(failed_records(digest="sha256")), **option).reasons
    (name,) = option
    assert reason.name == "bad-option" and f"{name} is " in reason.text and "cannot become" in reason.text


@pytest.mark.parametrize("option", [{"digest": "auto"}, {"streams": 4}, {"port": 4444}, {"stall_timeout": "1h"}])
def test_what_only_changes_the_way_may_change(option):
    assert again(ends(failed_records(digest="sha256")), **option).reasons == ()


def test_an_unknown_option_is_a_reason():
    assert "no option" in again(sterams=3).reasons[0].text


def with_one(member, **changes):
    made = specs()
    return {**failed_records(), member: record(made[member], **changes)}


@pytest.mark.parametrize("member", [ALPHA, BETA])
def test_one_that_runs_is_refused_and_told_how_to_follow_it(member):
    (reason,) = refusal(lambda: records.refuse_unresumable(ends(with_one(member)))).reasons
    assert reason.name == "already-running" and f"transfer.attach {TRANSFER}" in reason.text


def test_one_that_was_published_is_complete():
    (reason,) = refusal(lambda: records.refuse_unresumable(ends(with_one(BETA, verdict=verdict())))).reasons
    assert "is complete: beta:/srv/data was published" in reason.text


@pytest.mark.parametrize("member", [ALPHA, BETA])
def test_one_that_was_cancelled_is_over(member):
    cancelled = with_one(member, verdict=verdict(result="cancelled", root=None))
    (reason,) = refusal(lambda: records.refuse_unresumable(ends(cancelled))).reasons
    assert "was cancelled" in reason.text


def test_one_that_was_cancelled_after_it_had_failed_is_over():
    records_of = {**failed_records(), BETA: {**failed_records()[BETA], "given_up": True}}
    (reason,) = refusal(lambda: records.refuse_unresumable(ends(records_of))).reasons
    assert "was cancelled" in reason.text


def test_one_that_failed_can_be_gone_on_with_even_if_the_source_thinks_it_went_well():
    records.refuse_unresumable(ends())
    records.refuse_unresumable(ends(with_one(ALPHA, verdict=verdict())))


@pytest.mark.parametrize("member, other", [(ALPHA, "the destination beta"), (BETA, "the source alpha")])
def test_a_missing_end_is_named(member, other):
    (reason,) = refusal(lambda: ends({member: failed_records()[member]})).reasons
    assert other in reason.text and reason.name == "not-resumable"


def test_who_claims_to_be_an_end_is_none_unless_the_other_end_names_it():
    made = specs()
    claimed = {**made[ALPHA], "host": "mallory", "path": "/etc/shadow"}
    known = [*read(failed_records()), *read({ALPHA._replace(host="mallory"): record(claimed, verdict=failure())})]
    assert records.gather(TRANSFER, known).source.place.host == "alpha"


def test_two_sources_are_told_and_none_is_taken():
    made = specs()
    peers = [*made[BETA]["peers"], {**made[BETA]["peers"][0], "host": "carol"}]
    known = {
        **failed_records(),
        BETA: record({**made[BETA], "peers": peers}, verdict=failure()),
        ALPHA._replace(host="carol"): record({**made[ALPHA], "host": "carol"}, verdict=failure()),
    }
    (reason,) = refusal(lambda: ends(known)).reasons
    assert "minions=" in reason.text and "carol:/srv/data" in reason.text


def test_an_end_that_lags_behind_does_not_bring_an_attempt_back():
    made = specs()
    ahead = record({**made[BETA], "attempt": 3}, verdict=failure())
    assert again(ends({**failed_records(), BETA: ahead})).attempt == 4


def test_options_that_do_not_change_what_arrives_are_known():
    changeable = {option.name for option in OPTIONS if option.changeable}
    assert changeable >= {"streams", "lease", "port", "network", "quiet"}
    assert not {"digest", "verify", "overwrite", "owners", "special"} & changeable


def test_the_present_attempt_is_watched_as_it_was_asked_for():
    request = records.present(ends(), [(COMMAND, {"quiet": True})], {"job_timeout": 5})
    assert (request.attempt, request.settings.quiet, request.settings.job_timeout) == (1, True, 5)
    assert request.source == asked().source


NOT_MOVED = {"phases": {"prepared": 0.0, "armed": 0.2}}


@pytest.mark.parametrize(("told", "expected"), [
    ({"phase": "prepared", **NOT_MOVED}, True),
    ({"phase": "armed", **NOT_MOVED}, True),
    ({"phase": "connecting", **NOT_MOVED}, False),
    ({"phase": "moving"}, False),
    ({"verdict": failure(98, "no-go"), **NOT_MOVED}, True),
    ({"verdict": failure()}, False),
    ({"verdict": verdict(result="cancelled"), **NOT_MOVED}, False),
    ({"verdict": verdict()}, False),
])  # fmt: skip
def test_what_has_not_moved_and_was_not_cancelled_has_not_begun(told, expected):
    (source, _) = read({member: record(spec, **told) for member, spec in specs().items()})
    assert records.is_unbegun(source) is expected


def test_what_somebody_has_given_up_is_not_begun_again():
    payloads = {member: record(spec, verdict=failure(), **NOT_MOVED) for member, spec in specs().items()}
    (source, _) = read({member: {**payload, "given_up": True} for member, payload in payloads.items()})
    assert not records.is_unbegun(source)
