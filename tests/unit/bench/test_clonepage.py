"""What the page of clones says of its figures."""

from bench import clonepage
from bench.clones import failure
from bench.errors import BenchError

MIB = 1 << 20
HEAD = {
    "machine": {"processor": "a processor", "cores": 2, "kernel": "6.1"},
    "python": "3.11",
    "version": "1",
    "date": "today",
    "load": 0.1,
    "memory": 128 * MIB,
}
STEPS = {"copy": 4.0, "prepare": 2.0, "install": 1.0, "start": 1.5, "replicate": 0.5, "prove": 2.5}


PHASES = {"asking": 0.5, "deciding": 0.0, "preparing": 0.75, "arming": 0.25, "starting": 0.5, "following": 2.0}
PROOF = {"proved": True, "rows": 5000, "written": 600}


def run(seconds, donor=100, replica=200):
    memory = {"db1": donor * MIB, "db2": replica * MIB, "db3": MIB}
    return {"seconds": seconds, "steps": STEPS, "phases": PHASES, "memory": memory, **PROOF}


def document(**rows):
    named = {key if key == "proofs" else f"300 {key.replace('_', ' ')}": {"runs": runs} for key, runs in rows.items()}
    return {"about": HEAD, "rows": named}


def test_a_row_has_the_medians_and_the_ratio_to_by_hand():
    found = document(hand_1=[run(10.0), run(30.0), run(11.0)], ours_1=[run(12.1)])
    *_, hand, ours = clonepage.table(found)
    assert hand == "| 300 | 1 | hand | 3 | 11.0 |  |  |  | 4.0 | 2.0 | 100 MiB | 200 MiB |"
    assert ours == "| 300 | 1 | ours | 1 | 12.1 | 1.10x | 4.5 | 0.41x | 4.0 | 2.0 | 100 MiB | 200 MiB |"


def test_no_two_columns_have_one_name():
    assert len({*clonepage.COLUMNS}) == len(clonepage.COLUMNS)


def test_each_amount_of_data_is_judged_beside_its_own_by_hand():
    found = document(hand_1=[run(10.0)], ours_1=[run(15.0)])
    found["rows"] = {"3000 ours 1": {"runs": [run(20.0)]}, "3000 hand 1": {"runs": [run(25.0)]}, **found["rows"]}
    *_, first, second, third, last = clonepage.table(found)
    assert [line.split("|")[1].strip() for line in (first, second, third, last)] == ["300", "300", "3,000", "3,000"]
    assert "| ours | 1 | 20.0 | 0.80x |" in last
    few, many = clonepage.verdicts(found)
    assert "300 MB" in few and "whole command not reached (1.50x), from go reached (0.45x)" in few
    assert "3,000 MB" in many and "whole command reached (0.80x)" in many


def test_memory_that_nobody_looked_at_is_not_nothing():
    *_, hand = clonepage.table(document(hand_1=[{**run(10.0), "memory": {}}]))
    assert hand.endswith("| not measured | not measured |")


def test_a_goal_that_was_missed_is_said_to_be():
    found = document(hand_1=[run(10.0)], ours_1=[run(12.0)], hand_2=[run(20.0)], ours_2=[run(19.0)])
    one, two = clonepage.verdicts(found)
    assert "not reached (1.20x)" in one and one.startswith("- 1 replica, 300 MB:")
    assert "reached (0.95x)" in two and "not" not in two


def test_what_was_not_measured_is_not_judged():
    assert list(clonepage.verdicts(document(ours_1=[run(12.0)]))) == []
    assert clonepage.proofs(document(hand_1=[run(12.0)])) == ["Not run yet."]


def test_every_clone_of_ours_is_counted_also_one_that_was_not_proved():
    found = document(ours_1=[run(12.0)], proofs=[PROOF, failure(2, BenchError("it did not answer"))])
    (told,) = clonepage.proofs(found)
    assert told.startswith("2 of 3 clones") and "5,000 rows" in told and "1,200 rows" in told


def test_what_passes_before_the_donor_is_told_to_begin_is_told():
    told = clonepage.fixed(document(ours_1=[run(12.0)]))
    assert "7.5 s of ours for one replica pass before the donor is told to begin" in told
    assert clonepage.fixed(document(hand_1=[run(3.0)])) == ""


def test_what_comes_after_preparing_is_apart():
    *_, line = clonepage.after(document(hand_1=[run(10.0)], ours_1=[run(12.0)]))
    assert line == "| 300 | 1 | 1.0 | 1.5 | 0.5 | 2.5 |"
    assert "measure again" not in clonepage.page(document(ours_1=[run(12.0)]))
