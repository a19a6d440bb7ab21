"""What is moved is the same everywhere, and as compressible as it says."""

import zlib

import pytest
from bench import data
from bench.data import DATASETS, pages, size_of


@pytest.mark.parametrize(("text", "size"), [("17", 17), ("2K", 2048), ("1.5M", 3 << 19), ("4g", 4 << 30)])
def test_sizes_are_read(text, size):
    assert size_of(text) == size


def test_rows_of_a_database_shrink_to_a_third():
    page = pages(1 << 20)
    assert 2.5 < len(page) / len(zlib.compress(page)) < 3.5


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_is_as_big_as_it_says_and_always_the_same(name, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "PORTION", 1 << 16)
    dataset = DATASETS[name]
    amount = 300_000 if dataset.kind == "file" else 30
    loads = [dataset.make(tmp_path / each, amount) for each in ("one", "two")]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert loads[0] == loads[1]
    assert loads[0].bytes == sum(map(len, contents(tmp_path / "one").values()))
    assert loads[0].files == len(contents(tmp_path / "one"))


def contents(path):
    """{name: bytes} of all files."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}
