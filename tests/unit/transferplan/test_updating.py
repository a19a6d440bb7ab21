"""What update=True comes to: a plain copy or a change of what stands there, what it needs, and what it may delete."""

import pytest

from transferplan import display, errors, plan

from .samples import ALPHA, BETA, GIB, asked, beta, destination, source, verdict
from .samples import alpha as source_host
from .test_display import finished
from .test_plan import made


def standing(**changes):
    """A destination where something stands."""
    usual = {"entries": 1000, "directories": 3, "bytes": 9 * GIB, "disk_bytes": 9 * GIB, "estimated": False}
    there = {**usual, **changes}
    return destination(exists=True, kind="directory", standing=there)


def planned(found, **options):
    return made(asked(update=True, **options), beta=beta(found))


def spec(made_plan):
    return made_plan.specs()[BETA]["settings"]


def refused(found, **options):
    with pytest.raises(errors.Refused) as told:
        planned(found, **options)
    return [(reason.name, reason.text) for reason in told.value.reasons]


def test_what_stands_there_is_changed_in_place():
    told = spec(planned(standing(), compare="digest", delete=True, delete_limit=70))
    assert [told[name] for name in ("update", "in_place", "compare", "delete", "delete_limit")] == [
        True,
        True,
        "digest",
        True,
        70,
    ]


@pytest.mark.parametrize("found", [destination(), destination(exists=True, kind="directory", empty=True)])
def test_where_nothing_stands_it_is_a_plain_copy_and_says_so(found):
    made_plan = planned(found)
    assert spec(made_plan)["update"] is True and spec(made_plan)["in_place"] is False
    assert "nothing stands at beta:/srv/data yet: this is a plain copy" in made_plan.warnings
    assert made_plan.summary()["hops"][0]["update"] is None


def test_it_says_that_the_tree_does_not_change_at_one_stroke():
    (warning,) = [each for each in planned(standing()).warnings if "stroke" in each]
    assert warning == "beta:/srv/data changes file by file, each at one stroke, but not the tree as a whole"


def test_room_is_asked_for_what_is_new_as_far_as_known():
    expect = planned(standing()).specs()[BETA]["expect"]
    assert (expect["bytes"], expect["entries"], expect["estimated"]) == (GIB, 7, True)
    assert refused({**standing(), "bytes_free": GIB // 2})[0][0] == "no-space"


def test_a_mount_point_and_another_kind_of_root_stay_refused():
    assert refused({**standing(), "is_mount": True})[0][0] == "mount-point"
    assert refused({**standing(), "kind": "file"})[0][0] == "destination-exists"


def test_more_deletions_than_permitted_are_refused_by_counting_alone():
    found = standing(entries=4000)
    assert refused(found, delete=True) == [
        (
            "deletion-limit",
            "beta:/srv/data has 4,000 entries, the source 1,003: delete=True would remove at least 2,997, "
            "delete_limit=50% permits less. Look whether the source is the right one and complete, "
            "then raise delete_limit",
        )
    ]
    assert planned(found, delete=True, delete_limit="80%").summary()["hops"][0]["update"]["fewest_deleted"] == 2997
    assert planned(found, delete=True, delete_limit=2997).summary()["hops"][0]["update"]["fewest_deleted"] == 2997
    assert planned(found).summary()["hops"][0]["update"]["fewest_deleted"] == 0


def test_directories_may_stay_and_are_not_counted_as_deleted():
    """What is left out, sockets and mounts keep the directories in which they are."""
    found = standing(entries=4000, directories=2999)
    assert planned(found, delete=True, delete_limit=1).summary()["hops"][0]["update"]["fewest_deleted"] == 1
    assert refused(found, delete=True, delete_limit=0)[0][0] == "deletion-limit"
    assert planned(found, delete=True, delete_limit=0, overwrite=True)


def test_what_is_mounted_below_the_source_is_not_taken_for_deleted():
    mounted = source_host(source(mounts_below=["archive", "b/c"]))
    answers = {ALPHA: mounted, BETA: beta(standing(entries=1003))}
    sentence = (
        r"mounted below the source and do not travel \(archive, b/c\): delete=True would delete what "
        r"beta:/srv/data has in their place. Leave them out with exclude=/archive,/b/c, or do without delete=True"
    )
    with pytest.raises(errors.Refused, match=sentence):
        plan.make(asked(update=True, delete=True), answers)
    assert plan.make(asked(update=True), answers)
    assert plan.make(asked(update=True, delete=True), {ALPHA: mounted, BETA: beta()})


def test_what_is_only_estimated_is_left_to_the_worker_to_count():
    assert planned(standing(entries=4000, estimated=True), delete=True)
    large = source_host(source(estimated=True))
    answers = {ALPHA: large, BETA: beta(standing(entries=4000))}
    assert plan.make(asked(update=True, delete=True), answers)


def test_the_plan_shows_what_will_be_compared_and_deleted():
    lines = display.plan_lines(planned(standing(entries=1100), delete=True).summary())
    assert "  update  what differs by size and time; 1,100 entries, 9.0 GiB stand there" in lines
    assert "  update  deletes what the source does not have: at least 97, at most 50%" in lines


def test_delete_alone_is_refused():
    with pytest.raises(errors.Refused, match="delete=True is only for update=True: a copy to a new place has nothing"):
        asked(delete=True)


def told(**changes):
    ours, theirs = verdict(trusted=changes.get("trusted", 0)), verdict(**changes)
    return [line for line in display.result_lines(finished(ours, theirs)) if line.startswith("beta: ")]


def test_a_second_run_says_that_nothing_differed():
    lines = told(unchanged=1003, trusted=1000, moved_bytes=0)
    assert lines[0] == "beta: nothing differed, no payload moved"
    assert lines[1].startswith("beta: 1,000 files trusted, not proved: equal in size and time")


def test_an_update_says_what_it_did():
    assert told(created=1, changed=2, deleted=3, unchanged=1000)[0] == (
        "beta: 1 created, 2 changed, 3 deleted, 1,000 unchanged"
    )


def test_a_plain_copy_says_nothing_of_it():
    assert not [line for line in told() if "unchanged" in line or "trusted" in line]


def test_ends_that_trusted_different_numbers_prove_nothing():
    result = finished(verdict(trusted=1), verdict(trusted=2))
    assert result["receipt"]["proved"] is False
    assert any("their trusted differ: 1 and 2" in reason["text"] for reason in result["reasons"])
