"""Deadlines: another boot, a passed moment, a moment to come."""
from datamover.host import lease
from datamover.host.lease import Deadline


def test_a_deadline_to_come_has_time_left():
    deadline = Deadline.after(1000)
    assert 0 < deadline.remaining <= 1000
    assert not deadline.passed


def test_a_deadline_of_the_past_has_none():
    deadline = Deadline(lease.boot_id(), lease.boottime() - 1)
    assert deadline.remaining == 0
    assert deadline.passed


def test_a_deadline_of_another_boot_has_passed_even_if_its_number_is_ahead():
    assert Deadline("another-boot", lease.boottime() + 1000).passed


def test_the_boot_id_is_read_anew_each_time(monkeypatch, tmp_path):
    monkeypatch.setattr(lease, "BOOT_ID", tmp_path / "boot_id")
    lease.BOOT_ID.write_text("first\n")
    deadline = Deadline.after(1000)
    assert not deadline.passed
    lease.BOOT_ID.write_text("second\n")
    assert deadline.passed
