"""How much memory a real worker takes, however many entries and however large the files: its own peak, as its verdict
tells it. The long forms run with --all.
"""

import os

import pytest

from tests.functional.datamover.places import age
from tests.functional.worker.minions import PATIENCE

MIB = 1 << 20
GIB = 1 << 30
LAST = 1 << 40
MOST = 256 * MIB
"""What a worker may take at the most."""
ALIKE = 24 * MIB
"""By how much the peaks of two runs may differ where they should not."""


def peaks(pair):
    """Peak memory of both workers after all went well, the source's first."""
    pair.begin()
    verdicts = [last_word(pair, role) for role in ("source", "destination")]
    assert [verdict["error"] for verdict in verdicts] == [None, None]
    assert verdicts[0]["root"] == verdicts[1]["root"]
    print("peaks in MiB:", [verdict["peak_memory"] // MIB for verdict in verdicts], verdicts[1]["seconds"])
    return [verdict["peak_memory"] for verdict in verdicts]


def last_word(pair, role):
    """The verdict of an end, however long it takes: what no longer moves fails by itself."""
    while not (status := pair.minion(role).ask("follow", pair.transfer, LAST, PATIENCE, role))["verdict"]:
        pass
    return status["verdict"]


def tiny_files(root, count, in_one):
    """A tree of that many files of a few bytes, `in_one` of them in one directory, old enough to be trusted."""
    for number in range(count):
        directory = root / ("one" if number < in_one else f"d{number // 1000:05}")
        if number in (0, in_one) or number % 1000 == 0:
            directory.mkdir(parents=True, exist_ok=True)
        with open(directory / f"file-{number:07}", "wb", buffering=0) as out:
            out.write(b"%d" % number)
    age(root)
    return root


def scattered(path, size, island, count):
    """A file of that size with so many islands of data, evenly far from each other."""
    with open(path, "wb") as out:
        out.truncate(size)
        data = os.urandom(island)
        for number in range(count):
            out.seek(number * (size // count) + 12_345)
            out.write(data)
    return path


def solid(path, size):
    """A file of that size without holes."""
    data = os.urandom(8 * MIB)
    with open(path, "wb") as out:
        for _ in range(size // len(data)):
            out.write(data)
    return path


def fresh(tmp_path, name):
    (tmp_path / "srv" / name).parent.mkdir(exist_ok=True)
    return tmp_path / "srv" / name


@pytest.mark.slow
def test_many_tiny_files_take_little_memory(transfer, tmp_path):
    few = peaks(transfer(tiny_files(tmp_path / "few", 500, 100), fresh(tmp_path, "few")))
    many = peaks(transfer(tiny_files(tmp_path / "many", 20_000, 8_000), fresh(tmp_path, "many")))
    assert max(many) < MOST / 2
    assert max(more - less for more, less in zip(many, few, strict=True)) < 48 * MIB


def test_a_sparse_file_stays_sparse_in_little_memory(transfer, tmp_path):
    pair = transfer(scattered(tmp_path / "sparse", GIB, 64 * 1024, 256), fresh(tmp_path, "sparse"))
    assert max(peaks(pair)) < MOST / 2
    assert pair.dst.stat().st_blocks * 512 < 64 * MIB


def test_memory_does_not_grow_with_the_size_of_a_file(transfer, tmp_path):
    measured = [
        peaks(transfer(solid(tmp_path / str(size), size * MIB), fresh(tmp_path, str(size)))) for size in (128, 384)
    ]
    assert max(map(max, measured)) < MOST / 2
    assert max(abs(more - less) for less, more in zip(*measured, strict=True)) < ALIKE


@pytest.mark.slow
def test_a_million_files_take_bounded_memory(transfer, tmp_path):
    few = peaks(transfer(tiny_files(tmp_path / "few", 50_000, 10_000), fresh(tmp_path, "few"), settings__lease=120))
    many = peaks(transfer(tiny_files(tmp_path / "many", 1_000_000, 200_000), fresh(tmp_path, "many")))
    assert max(many) < MOST
    per_entry = [(more - less) / 950_000 for more, less in zip(many, few, strict=True)]
    assert max(per_entry) < 32


@pytest.mark.slow
def test_fifty_gibibytes_with_holes_take_bounded_memory(transfer, tmp_path):
    pair = transfer(scattered(tmp_path / "sparse", 50 * GIB, 256 * 1024, 8192), fresh(tmp_path, "sparse"))
    assert max(peaks(pair)) < MOST
    assert pair.dst.stat().st_blocks * 512 < 3 * GIB


@pytest.mark.slow
def test_memory_is_flat_over_one_four_and_eight_gibibytes(transfer, tmp_path):
    measured = []
    for size in (1, 4, 8):
        source, copy = solid(tmp_path / "solid", size * GIB), fresh(tmp_path, "solid")
        measured.append(max(peaks(transfer(source, copy))))
        copy.unlink()
    assert max(measured) < MOST and max(measured) - min(measured) < ALIKE
