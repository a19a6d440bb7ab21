"""Archives that arrive are unpacked below one directory and nowhere else; hostile ones leave nothing behind."""

import gzip
import io
import lzma
import os
import subprocess
import tarfile

import pytest
import zstandard

from datamover.disk.headroom import Headroom
from datamover.errors import ArchiveRefused, ConsumerFailed, NoSpace, PeerFailed
from datamover.flow import compressed, unpack
from datamover.flow.archive_source import ArchiveSource
from datamover.flow.compressed import Opened
from datamover.flow.unpack import Unpacking
from datamover.flow.unpacking import UnpackingSink
from tests.functional.datamover.places import independent_differences, plant
from tests.functional.datamover.streams import Flow
from tests.functional.datamover.test_stream import failed, went_well

MIB = 1024 * 1024
PACK = {"gz": gzip.compress, "xz": lzma.compress, "zst": lambda data: zstandard.ZstdCompressor().compress(data)}
TREE = {
    "small": b"small",
    "large": os.urandom(3 * MIB),
    "empty": b"",
    "dir": {"deep": {"file": b"deep", "up": "../../small"}, "none": {}},
    "odd \n'name": b"odd",
}


def member(name, kind=tarfile.REGTYPE, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, io.BytesIO(data)


def tar(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, data in members:
            data.seek(0)
            archive.addfile(info, data)
    return out.getvalue()


class Place:
    """A directory to unpack into, and beside it what must not be touched."""

    def __init__(self, path):
        self.path = path / "place"
        self.path.mkdir()
        (path / "outside").mkdir()
        (path / "outside" / "kept").write_bytes(b"kept")
        self._outside = path / "outside"
        self._root = path

    def unpack(self, archive, form="gz", special=frozenset(), reserve=0):
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            room = Headroom(descriptor, os.fsencode(self.path), reserve)
            unpacking = Unpacking(Opened(io.BytesIO(archive), form), descriptor, room, special=special)
            unpacking.run()
            return unpacking
        finally:
            os.close(descriptor)

    def untouched(self):
        return sorted(os.listdir(self._root)) == ["outside", "place"] and self._kept()

    def _kept(self):
        return os.listdir(self._outside) == ["kept"] and (self._outside / "kept").read_bytes() == b"kept"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def archive(tmp_path):
    """archive(form, top="top") -> a real tar of TREE below one directory, and where its content lies."""

    def make(form):
        tree = tmp_path / "made" / "top"
        tree.mkdir(parents=True)
        plant(tree, TREE)
        os.link(tree / "large", tree / "again")
        (tree / "dir" / "deep").chmod(0o750)
        os.utime(tree / "dir", (1_000_000_000, 1_000_000_000))
        made = subprocess.run(["tar", "-C", tree.parent, "-c", "top"], check=True, capture_output=True).stdout
        path = tmp_path / f"whole.tar.{form}"
        path.write_bytes(PACK[form](made))
        return path, tree

    return make


def flow(folder, path, form, inspect=lambda _place, report: report):
    ends = Flow(folder, ArchiveSource(os.fsencode(path), {"archive": path.name}), None)
    ends.consumer = UnpackingSink(form, lambda: ends.staging.room(), ("names", frozenset()), inspect)
    return ends


@pytest.mark.parametrize("form", ["gz", "xz", "zst"])
def test_a_real_archive_arrives_without_its_top_directory(folder, archive, form):
    path, tree = archive(form)
    ends = flow(folder, path, form)
    _, received = went_well(ends)
    assert independent_differences(str(tree), ends.arrived) == []
    told = received.report
    assert (told["files"], told["directories"], told["links"]) == (5, 4, 2)
    assert told["archive"] == path.name


def test_several_things_at_the_top_stay_as_they_are(folder, tmp_path):
    path = tmp_path / "two.tar.gz"
    path.write_bytes(gzip.compress(tar(member("one", data=b"1"), member("two/file", data=b"2"))))
    ends = flow(folder, path, "gz")
    went_well(ends)
    assert sorted(os.listdir(ends.arrived)) == ["one", "two"]


def test_sparse_files_and_long_names_of_gnu_tar(tmp_path, place):
    tree = tmp_path / "tree"
    tree.mkdir()
    with open(tree / "sparse", "wb") as out:
        out.truncate(8 * MIB)
        out.seek(5 * MIB)
        out.write(b"in the middle")
    long = tree / ("n" * 200) / ("m" * 200)
    long.parent.mkdir()
    long.write_bytes(b"long")
    for form in ("gnu", "posix"):
        made = subprocess.run(
            ["tar", f"--format={form}", "-S", "-C", tmp_path, "-c", "tree"], check=True, capture_output=True
        )
        place.unpack(gzip.compress(made.stdout))
        assert independent_differences(str(tree), place.path / "tree") == []
        subprocess.run(["rm", "-r", place.path / "tree"], check=True)


HOSTILE = {
    "an absolute name": [member("/etc/evil", data=b"evil")],
    "a way up": [member("top/../../outside/kept", data=b"evil")],
    "a way up first": [member("../outside/evil", data=b"evil")],
    "a link out": [member("top/link", tarfile.SYMTYPE, linkname="../../outside")],
    "an absolute link": [member("top/link", tarfile.SYMTYPE, linkname="/etc")],
    "a link at the top": [member("link", tarfile.SYMTYPE, linkname="../outside")],
    "a link that climbs after it descended": [
        member("top/self", tarfile.SYMTYPE, linkname="."),
        member("top/link", tarfile.SYMTYPE, linkname="self/../../outside"),
    ],
    "through a link of its own": [
        member("top/dir", tarfile.DIRTYPE, mode=0o755),
        member("top/link", tarfile.SYMTYPE, linkname="dir"),
        member("top/link/evil", data=b"evil"),
    ],
    "over a link of its own": [
        member("top/file", data=b"first"),
        member("top/link", tarfile.SYMTYPE, linkname="file"),
        member("top/link", data=b"evil"),
    ],
    "a hard link out": [member("top/hard", tarfile.LNKTYPE, linkname="../outside/kept")],
    "an absolute hard link": [member("top/hard", tarfile.LNKTYPE, linkname="/etc/passwd")],
    "a hard link to a link": [
        member("top/link", tarfile.SYMTYPE, linkname="file"),
        member("top/hard", tarfile.LNKTYPE, linkname="top/link"),
    ],
    "a device": [member("top/disk", tarfile.BLKTYPE, devmajor=8, devminor=0)],
    "a FIFO": [member("top/fifo", tarfile.FIFOTYPE)],
    "a setuid file": [member("top/su", data=b"x", mode=0o4755)],
    "a setgid directory": [member("top", tarfile.DIRTYPE, mode=0o2755)],
    "one name twice": [member("top/file", data=b"1"), member("top/file", data=b"2")],
    "a name that is too long": [member("top/" + "n" * 300, data=b"x")],
    "a name that is too deep": [member("d/" * 200 + "file", data=b"x")],
    "no name": [member("/", data=b"x")],
    "a time that cannot be": [member("top/file", data=b"x", pax_headers={"mtime": "inf"})],
    "a directory's time that cannot be": [member("top", tarfile.DIRTYPE, mode=0o755, pax_headers={"mtime": "nan"})],
    "nobody's file": [member("top/file", data=b"x", uid=2**32 - 1)],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_hostile_is_refused_and_nothing_outside_is_touched(place, what):
    with pytest.raises(ArchiveRefused):
        place.unpack(gzip.compress(tar(*HOSTILE[what])))
    assert place.untouched()


def test_a_hostile_archive_fails_the_transfer(folder, tmp_path):
    path = tmp_path / "evil.tar.gz"
    path.write_bytes(gzip.compress(tar(member("top/" + "a" * 10, data=os.urandom(2 * MIB)), *HOSTILE["a way up"])))
    ours, theirs = failed(flow(folder, path, "gz"))
    assert isinstance(theirs, ArchiveRefused) and isinstance(ours, PeerFailed)


def test_setuid_by_request(place):
    place.unpack(gzip.compress(tar(*HOSTILE["a setuid file"])), special=frozenset({"setuid"}))
    assert (place.path / "top" / "su").stat().st_mode & 0o7777 == 0o4755


@pytest.mark.parametrize("form", PACK)
def test_a_bomb_is_noticed_by_its_ratio(place, form, monkeypatch):
    monkeypatch.setattr(compressed, "UNSUSPECTED", 4 * MIB)
    with pytest.raises(ArchiveRefused, match="more than 500 times"):
        place.unpack(PACK[form](tar(member("zeros", data=bytes(64 * MIB)))), form)


def test_a_bomb_in_a_header_is_not_read_into_memory(place):
    header, _ = member("top/long", tarfile.GNUTYPE_LONGNAME)
    header.size = 1 << 40
    with pytest.raises(ArchiveRefused, match="none needs so much"):
        place.unpack(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(MIB)))


def test_a_chain_of_headers_is_not_read_into_memory(place):
    header, _ = member("top/long", tarfile.GNUTYPE_LONGNAME)
    header.size = 2 * MIB
    one = header.tobuf(tarfile.GNU_FORMAT) + b"n" * header.size
    with pytest.raises(ArchiveRefused, match="none needs so much"):
        place.unpack(gzip.compress(one * 3 + tar(member("file"))))


def test_what_is_told_of_all_members_is_bounded(place):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "c" * MIB}) as archive:
        archive.addfile(*member("file"))
    with pytest.raises(ArchiveRefused, match="of all its members"):
        place.unpack(gzip.compress(out.getvalue()))


def directory(name, **fields):
    return member(name, tarfile.DIRTYPE, mode=0o755, **fields)


def test_a_directory_that_is_told_again_is_remembered_once_as_it_was_told_last(place, monkeypatch):
    monkeypatch.setattr(unpack, "MOST_DIRECTORIES", 2)
    again = [directory("top", mtime=number) for number in range(1, 10)]
    place.unpack(gzip.compress(tar(*again, directory("top/one"))))
    assert (place.path / "top").stat().st_mtime == 9


@pytest.mark.parametrize("bound, most", [("MOST_DIRECTORIES", 2), ("MOST_NAMES", 8)])
def test_directories_are_remembered_within_bounds(place, monkeypatch, bound, most):
    monkeypatch.setattr(unpack, bound, most)
    place.unpack(gzip.compress(tar(directory("one"), directory("two"))))
    with pytest.raises(ArchiveRefused, match="by hand"):
        place.unpack(gzip.compress(tar(directory("1st"), directory("2nd"), directory("3rd"))))


def test_the_reserve_of_the_file_system_is_kept(place):
    with pytest.raises(NoSpace):
        place.unpack(gzip.compress(tar(member("file", data=bytes(MIB)))), reserve=1 << 60)


def test_names_that_are_not_utf_8_arrive_byte_for_byte(place):
    name = b"top/\xff\xfe \xc3\xa4".decode("utf-8", "surrogateescape")
    place.unpack(gzip.compress(tar(member(name, data=b"odd"))))
    assert os.listdir(os.fsencode(place.path / "top")) == [b"\xff\xfe \xc3\xa4"]


@pytest.mark.parametrize("form", PACK)
@pytest.mark.parametrize("portion", [0.0, 0.3, 0.9])
def test_an_archive_that_is_cut_short_fails(place, form, portion):
    whole = PACK[form](tar(member("one", data=os.urandom(MIB)), member("two", data=os.urandom(MIB))))
    with pytest.raises(ConsumerFailed):
        place.unpack(whole[: int(len(whole) * portion)], form)


def test_an_archive_without_its_end_mark_fails(place):
    whole = tar(member("one", data=b"1" * 512))
    with pytest.raises(ConsumerFailed, match="end mark"):
        place.unpack(gzip.compress(whole[:1024]))


@pytest.mark.parametrize("garbage", [b"no archive at all", gzip.compress(b"no tar"), gzip.compress(os.urandom(4096))])
def test_what_is_no_archive_fails(place, garbage):
    with pytest.raises(ConsumerFailed):
        place.unpack(garbage)


def test_a_flipped_bit_in_an_archive_fails(place):
    whole = bytearray(gzip.compress(tar(member("one", data=os.urandom(MIB)))))
    whole[-6] ^= 1
    with pytest.raises(ConsumerFailed):
        place.unpack(bytes(whole))


def test_an_archive_that_grows_while_it_is_read_fails(folder, archive):
    path, _ = archive("gz")
    ends = flow(folder, path, "gz")
    finish = ends.producer.finish

    def grow():
        with open(path, "ab") as file:
            file.write(b"more")
        return finish()

    ends.producer.finish = grow
    ours, _ = failed(ends)
    assert "changed while it was read" in ours.text
