"""Transfers that are streams: what is asked of both hosts, everything that speaks against one, and what specs say."""

import re

import pytest

from tests.unit.transferplan import samples
from tests.unit.transferplan.samples import ALPHA, BETA, GAMMA, GIB, alpha, asked, beta, destination, source
from transferplan import again, display, flows, plan, records, request
from transferplan.errors import Refused

TOOLS = {"mariadb-backup": "10.11.19-MariaDB", "mariabackup": "10.11.19-MariaDB"}
SERVER = {
    "version": "10.11.19-MariaDB-log",
    "vendor": "mariadb",
    "datadir": "/srv/mysql",
    "user": "backup@localhost",
    "privileges": ["RELOAD", "PROCESS", "LOCK TABLES", "BINLOG MONITOR"],
    "redo_rate": 0,
    "replication": [],
}
SOCKET = "/run/mysqld/mysqld.sock"


def donor(tools=TOOLS, trouble="", found=None, **server):
    told = {**SERVER, **server} if server.get("vendor", "") is not None else None
    backup = {"tools": tools, "unpackers": [], "server": told, "trouble": trouble}
    return alpha(found or source(kind="socket", real=SOCKET), backup=backup)


def there(found=None, tools=TOOLS, unpackers=("mbstream",), **changes):
    backup = {"tools": tools, "unpackers": list(unpackers), "server": None, "trouble": ""}
    return beta(found, backup=backup, unpacks=["gz", "xz"], **changes)


def backup(**options):
    return asked(f"alpha:{SOCKET}", "beta:/srv/sqldata", type="xtrabackup", **options)


def archive(src="alpha:/srv/whole.tar.gz", dst="beta:/srv/", **options):
    return asked(src, dst, type="decompress", **options)


def planned(wanted, ours, theirs):
    return plan.make(wanted, {ALPHA: ours, BETA: theirs})


def refusals(wanted, ours, theirs):
    with pytest.raises(Refused) as caught:
        planned(wanted, ours, theirs)
    return [reason.text for reason in caught.value.reasons]


def test_the_specs_of_both_ends_say_what_the_stream_is():
    specs = planned(backup(stop_replication=True), donor(privileges=["SUPER", *SERVER["privileges"]]), there()).specs()
    wanted = {
        "type": "xtrabackup",
        "tool": "mariadb-backup",
        "unpacker": "mbstream",
        "vendor": "mariadb",
        "server_version": "10.11.19-MariaDB-log",
        "datadir": "/srv/mysql",
        "parallel": 4,
        "slave_info": False,
        "stop_replication": True,
        "keep_stream": False,
    }
    for spec in specs.values():
        assert spec["stream"] == wanted
        assert (spec["settings"]["verify"], spec["settings"]["keep_partial"], spec["settings"]["streams"]) == (
            "flight",
            0,
            1,
        )
    assert "stream" not in planned(asked(), alpha(), beta()).specs()[ALPHA]


def test_options_shape_the_stream():
    made = planned(backup(parallel=9, backup_tool="mariabackup", keep_stream=True), donor(), there(unpackers=()))
    stream = made.specs()[ALPHA]["stream"]
    assert (stream["parallel"], stream["tool"], stream["keep_stream"]) == (9, "mariabackup", True)


def test_a_replica_is_asked_for_its_place_at_its_primary():
    server = {
        "replication": [{"name": "", "sql_running": True}],
        "privileges": [*SERVER["privileges"], "SLAVE MONITOR"],
    }
    assert planned(backup(), donor(**server), there()).specs()[ALPHA]["stream"]["slave_info"] is True


@pytest.mark.parametrize(
    "ours, theirs, words",
    [
        (
            donor(vendor=None, trouble="there is no socket: No such file"),
            there(),
            "no database server.*there is no socket",
        ),
        (donor(tools={}), there(), "has no mariadb-backup or mariabackup"),
        (donor(tools={"mariabackup": "10.6.1-MariaDB"}), there(), "is 10.6.1-MariaDB, the server .* is 10.11.19"),
        (donor(tools={"mariabackup": "10.11.9-MariaDB"}), there(), "10.11.9-MariaDB, older than the server at"),
        (donor(privileges=["RELOAD"]), there(), "lacks PROCESS, LOCK TABLES, BINLOG MONITOR"),
        (donor(replication=None), there(), "lacks SLAVE MONITOR"),
        (donor(found={"exists": False}), there(), "where .* keeps its data, cannot be seen"),
        (donor(), there(unpackers=()), "has no mbstream"),
        (donor(), there(tools={"mariabackup": "11.4.1-MariaDB"}), "cannot prepare a backup of 10.11.19"),
        (donor(), there(tools={"mariabackup": "10.11.9-MariaDB"}), "10.11.9-MariaDB, older than the donor's 10.11.19"),
        (donor(), there(destination(exists=True, kind="directory", empty=False)), "needs an empty or absent directory"),
        (donor(), there(destination(bytes_free=2 * GIB)), "has 2.0 GiB free"),
    ],
)
def test_what_speaks_against_a_backup(ours, theirs, words):
    (reason,) = refusals(backup(), ours, theirs)
    assert re.search(words, reason), reason


def test_a_backup_does_not_go_to_the_donors_own_data():
    wanted = asked(f"alpha:{SOCKET}", "alpha:/srv/mysql/copy", type="xtrabackup")
    here = {**donor(), "destination": destination(parent="/srv/mysql", real="/srv/mysql/copy")}
    here["backup"]["unpackers"] = ["mbstream"]
    with pytest.raises(Refused, match="lies in alpha:/srv/mysql, the donor's own data"):
        plan.make(wanted, dict.fromkeys(wanted.ends(), here))


def test_what_is_said_of_trees_is_not_said_of_a_backup():
    odd = {"bytes": 9 * GIB, "disk_bytes": GIB, "counts": {"sockets": 1}, "newest_mtime_age": 1.0}
    ours, theirs = donor(found=source(kind="socket", real=SOCKET, **odd)), there(destination(real="/srv/sqldata"))
    assert planned(backup(), ours, theirs).warnings == ()


def test_all_reasons_come_at_once():
    theirs = there(destination(exists=True, kind="file"), unpackers=())
    assert len(refusals(backup(stop_replication=True), donor(tools={}, privileges=["RELOAD"]), theirs)) == 4


def test_stopping_replication_needs_a_privilege_of_its_own():
    assert "lacks REPLICATION SLAVE ADMIN" in refusals(backup(stop_replication=True), donor(), there())[0]


def test_redo_that_is_written_meanwhile_counts():
    slow, busy = (planned(backup(), donor(redo_rate=rate), there()) for rate in (0, 10 * 1024 * 1024))
    grown = busy.specs()[BETA]["expect"]["bytes"] - slow.specs()[BETA]["expect"]["bytes"]
    assert grown == 10 * GIB // flows.PACE * 10 * 1024 * 1024


def test_a_stream_is_never_another_attempt():
    wanted = request.Request(**{**vars(backup()), "attempt": 2})
    assert "cannot be gone on with" in refusals(wanted, donor(), there())[0]


def test_the_plan_is_told_in_words():
    text = "\n".join(display.plan_lines(planned(backup(), donor(), there()).summary()))
    assert "a hot backup by mariadb-backup of mariadb 10.11.19-MariaDB-log, unpacked by mbstream, not prepared" in text


# Archives


def packed(**changes):
    return alpha(source(kind="file", files=1, entries=1, directories=0, real="/srv/whole.tar.gz", **changes))


def test_an_archive_goes_to_a_directory_of_its_name():
    made = planned(archive(expect="backup"), packed(), there(destination(real="/srv/whole")))
    assert made.specs()[BETA]["path"] == "/srv/whole"
    assert made.specs()[BETA]["stream"] == {"type": "decompress", "format": "gz", "expect": "backup"}


@pytest.mark.parametrize(
    "wanted, ours, words",
    [
        (archive("alpha:/srv/data", "beta:/srv/x"), alpha(source()), "is no file"),
        (
            archive("alpha:/srv/x.zip", "beta:/srv/x"),
            alpha(source(kind="file", real="/srv/x.zip")),
            "named like no archive",
        ),
        (archive("alpha:/srv/x.tar.zst"), alpha(source(kind="file", real="/srv/x.tar.zst")), "cannot unpack zst"),
    ],
)
def test_what_speaks_against_an_archive(wanted, ours, words):
    assert words in " ".join(refusals(wanted, ours, there()))


# Options


@pytest.mark.parametrize(
    "options, words",
    [
        ({"type": "xtrabackup", "update": True}, "update is not for type=xtrabackup"),
        ({"type": "decompress", "overwrite": True}, "overwrite is not for"),
        ({"type": "xtrabackup", "verify": "readback"}, "verify is not for"),
        ({"type": "xtrabackup", "keep_partial": "1d"}, "keep_partial is not for"),
        ({"type": "decompress", "exclude": "x"}, "exclude is not for"),
        ({"stop_replication": True}, "stop_replication is only for type=xtrabackup"),
        ({"keep_stream": True}, "keep_stream is only for"),
        ({"type": "xtrabackup", "expect": "backup"}, "expect is only for type=decompress"),
        ({"parallel": 3}, "parallel is only for"),
    ],
)
def test_options_that_make_no_sense_together(options, words):
    with pytest.raises(Refused, match=words):
        asked(f"alpha:{SOCKET}", "beta:/srv/x.d", **options)


def test_a_configuration_for_files_does_not_hinder_streams():
    layers = [("the master's configuration", {"verify": "readback", "keep_partial": "2d", "exclude": "*.log"})]
    found = request.parse(f"alpha:{SOCKET}", "beta:/srv/x", {"type": "xtrabackup"}, layers, "ab" * 16).settings
    assert (found.verify, found.keep_partial, found.exclude) == ("flight", 0, ())


def test_a_backup_needs_a_name_and_goes_to_any_number():
    with pytest.raises(Refused, match="without the slash"):
        asked(f"alpha:{SOCKET}", "beta:/srv/", type="xtrabackup")
    for fanout in ("chain", "serial"):
        found = asked(f"alpha:{SOCKET}", "beta:/srv/x,gamma:/srv/x", type="xtrabackup", fanout=fanout)
        assert [place.host for place in found.destinations] == ["beta", "gamma"]


# A stream to several


def many():
    """The records of a backup that went to two, of which gamma was lost."""
    wanted = asked(f"alpha:{SOCKET}", "beta:/srv/sqldata,gamma:/srv/sqldata", type="xtrabackup")
    tools = {name: there()[name] for name in ("backup", "unpacks")}
    specs = plan.make(wanted, {ALPHA: donor(), BETA: there(), GAMMA: samples.gamma(**tools)}).specs()
    ended = {"alpha": samples.verdict(), "beta": samples.verdict(), "gamma": samples.failure()}
    told = {member: samples.record(spec, verdict=ended[member.host]) for member, spec in specs.items()}
    return specs, [records.Record.from_payload(each, member.host) for member, each in told.items()]


def test_all_of_a_chain_are_told_of_the_stream():
    specs, _ = many()
    assert {spec["fanout"] for spec in specs.values()} == {"chain"}
    assert {spec["stream"]["type"] for spec in specs.values()} == {"xtrabackup"}


def test_a_stream_that_is_asked_for_again_is_made_anew():
    _, told = many()
    wanted = asked(f"alpha:{SOCKET}", "beta:/srv/sqldata,gamma:/srv/sqldata", type="xtrabackup")
    tools = {name: there()[name] for name in ("backup", "unpacks")}
    answers = {ALPHA: donor(), BETA: there(), GAMMA: samples.gamma(**tools)}
    found = records.gather(samples.TRANSFER, told)
    assert again.joins(wanted, answers, found) == ""


def test_who_lost_a_stream_is_completed_from_the_tree_of_another():
    _, told = many()
    found = records.with_source(samples.TRANSFER, told, "beta")
    following = records.next_attempt(found, {}, [], {"user": "sudo_ann", "via": "salt-run"})
    assert (str(following.source), *map(str, following.destinations)) == ("beta:/srv/data", "gamma:/srv/data")
    assert (following.settings.type, following.settings.verify, following.reasons) == ("file", "readback", ())
    answers = {request.Member("beta", "source"): beta(source=source()), GAMMA: samples.gamma()}
    for spec in plan.make(following, answers).specs().values():
        assert "stream" not in spec and spec["attempt"] == 2


def test_the_producer_itself_makes_its_stream_no_second_time_for_who_lost_it():
    _, told = many()
    following = records.next_attempt(records.gather(samples.TRANSFER, told), {}, [], {"user": "x", "via": "salt-run"})
    assert [reason.name for reason in following.reasons] == ["not-resumable"]
    assert "name a destination that has it as source=" in following.reasons[0].text


# What became of it


def test_the_result_says_what_became_of_a_stream():
    report = {
        "kept_as": "directory",
        "files": 204,
        "prepared": False,
        "coordinates": {"file": "b.1", "position": 6, "gtid": "0-1-2"},
    }
    lines = list(flows.result_lines({"report": report}))
    assert lines[0] == "204 files unpacked and looked for"
    assert "not prepared" in lines[1] and lines[2] == "the donor was at b.1:6, GTID 0-1-2"
    assert list(flows.result_lines({})) == []
