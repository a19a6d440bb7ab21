"""Progress: phases, counters, who listens, and what counts as getting on."""

import threading

import pytest

from datamover.engine.progress import Progress


def test_listeners_hear_phases_and_events():
    heard, progress = [], Progress()
    progress.listen(lambda what, details: heard.append((what, details)))
    progress.enter("moving")
    progress.tell("restarted", path="a", attempt=1)
    assert heard == [("phase", {"phase": "moving"}), ("restarted", {"path": "a", "attempt": 1})]
    assert progress.phase == "moving"


def test_an_unknown_phase_is_our_bug():
    with pytest.raises(ValueError):
        Progress().enter("moved")


def test_a_phase_that_is_over_does_not_come_back():
    heard, progress = [], Progress()
    progress.listen(lambda what, details: heard.append(details["phase"]))
    for phase in ("moving", "sealed", "verifying", "published"):
        progress.enter(phase)
    assert progress.phase == "published" and heard == ["moving", "sealed", "published"]


def test_counters_add_up_over_threads():
    progress = Progress(bytes_total=10, estimated=True)

    def count():
        for _ in range(500):
            progress.add(bytes_done=2, files_done=1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (progress.counters.bytes_done, progress.counters.files_done) == (4000, 2000)
    progress.put(bytes_total=4000, estimated=False)
    assert (progress.counters.bytes_total, progress.counters.estimated) == (4000, False)


def test_every_way_of_getting_on_changes_the_mark():
    progress = Progress()
    marks = [progress.mark()]
    for step in (
        lambda: progress.enter("moving"),
        lambda: progress.add(bytes_done=1),
        lambda: progress.hear("moving", (1, 2)),
        lambda: progress.hear("moving", (1, 3)),
    ):
        step()
        marks.append(progress.mark())
    assert len(set(marks)) == len(marks)


def test_a_heartbeat_alone_leaves_the_mark_equal():
    progress = Progress()
    progress.hear("moving", (1, 2))
    before = progress.mark()
    progress.hear("moving", (1, 2))
    progress.add(bytes_done=0)
    assert progress.mark() == before
