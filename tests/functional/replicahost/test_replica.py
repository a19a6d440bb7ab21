"""replica and xtrabackup on real servers: what they tell, exchange, prove, and how all of it is taken back."""

import contextlib

import pytest
from lab.database import REPLICATION_PASSWORD

from tests.support.databases import Minion, Refused
from tests.support.doorkeeper import overlooked
from tests.support.waiting import eventually

from .conftest import INCOMING, KEEPER, configured

pytestmark = pytest.mark.root


@pytest.mark.slow
def test_a_server_tells_what_it_is(pair):
    told, other = pair.primary.minion.call("replica.info"), pair.call("replica.info")
    assert (told["role"], told["vendor"], told["datadir"]) == ("primary", "mariadb", "/srv/mysql")
    assert [each["server_id"] for each in told["replicas"]] == [other["variables"]["server_id"]]
    assert (other["role"], other["variables"]["read_only"], other["replicas"]) == ("replica", "ON", [])
    (channel,) = other["channels"]
    assert (channel["primary"], channel["io"], channel["sql"]) == (pair.primary.machine.ip, "Yes", "Yes")
    assert (told["schemas"], told["galera"], told["clients"]) == (["shop"], False, 0)


def test_a_log_tells_how_far_back_it_reaches(pair):
    minion = pair.primary.minion
    whole = minion.call("replica.log")
    assert whole["begins"] == "" and whole["files"]
    kept = pair.primary.value("SELECT @@gtid_binlog_pos")
    pair.primary.sql("FLUSH BINARY LOGS")
    assert pair.replicates()
    files = minion.call("replica.log")["files"]

    def purged():
        """A server keeps a log for as long as its storage may need it after a crash."""
        pair.primary.sql(f"PURGE BINARY LOGS TO '{files[-1]}'")
        return minion.call("replica.log") == {"files": files[-1:], "begins": kept}

    assert eventually(purged)
    pair.back_up()  # from the former one nobody could go on any more


def test_a_server_that_is_down_is_told_from_its_configuration(pair):
    pair.replica.stop()
    try:
        told = pair.call("replica.info")
        assert (told["running"], told["role"], told["datadir"]) == (False, "down", "/srv/mysql")
        assert told["was_replica"]
    finally:
        pair.replica.start()


@pytest.fixture
def admin(pair):
    """An account with a password beside root, and a defaults file that names it and a socket where nobody listens."""
    words = "CREATE USER admin@localhost IDENTIFIED BY 'x y'; GRANT ALL ON *.* TO admin@localhost"
    pair.replica.sql(f"SET SESSION sql_log_bin=0; {words}")
    own = pair.replica.machine.path("/root/own.cnf")
    own.write_text("[client]\nuser=admin\npassword='x y'\nsocket=/run/nobody.sock\n")
    yield "/root/own.cnf"
    pair.replica.sql("SET SESSION sql_log_bin=0; DROP USER admin@localhost")


def test_a_socket_that_is_named_counts_beside_a_defaults_file(pair, admin):
    def told(**said):
        with contextlib.closing(Minion(pair.replica.machine, replica={"defaults_file": admin, **said})) as minion:
            return minion.call("replica.info")

    assert not told()["running"]
    assert told(socket="/run/mysqld/mysqld.sock")["role"] == "replica"
    with pytest.raises(Refused, match="Access denied for user 'nobody'@'localhost'"):
        told(socket="/run/mysqld/mysqld.sock", user="nobody")


def test_a_backup_is_prepared_once(pair):
    pair.bring(prepare=False)
    assert not pair.call("xtrabackup.info", INCOMING)["prepared"]
    done = pair.call("xtrabackup.prepare", INCOMING, memory="64MiB")
    assert (done["changed"], done["prepared"], done["schemas"]) == (True, True, ["shop"])
    assert done["coordinates"]["gtid"] != ""
    assert not pair.call("xtrabackup.prepare", INCOMING)["changed"]


def test_damaged_pages_of_a_backup_are_found_by_name(pair):
    pair.bring()
    assert pair.call("xtrabackup.verify", INCOMING)["verified"]
    with open(pair.replica.machine.disk(f"{INCOMING}/shop/customer.ibd"), "r+b") as file:
        file.seek(16384 * 4 + 200)
        file.write(b"\xff" * 64)
    found = pair.call("xtrabackup.verify", INCOMING)
    assert (found["verified"], [each["path"] for each in found["bad"]]) == (False, ["shop/customer.ibd"])


def test_a_backup_that_did_not_complete_is_none(pair):
    pair.bring(prepare=False)
    place = pair.replica.machine.disk(f"{INCOMING}/xtrabackup_info")
    place.write_text("".join(line for line in place.open() if not line.startswith("end_time")))
    with pytest.raises(Refused, match="is incomplete: its info file has no end_time"):
        pair.call("xtrabackup.prepare", INCOMING)
    place.unlink()
    with pytest.raises(Refused, match="holds no backup"):
        pair.call("xtrabackup.info", INCOMING)


def test_a_backup_is_not_taken_over_anything(pair):
    with pytest.raises(Refused, match="exists and is no empty directory"):
        pair.primary.minion.call("xtrabackup.stream", "/srv/backup")
    with pytest.raises(Refused, match="exists and is no empty directory"):
        pair.primary.minion.call("xtrabackup.stream", "/srv/mysql")


def test_a_writable_primary_with_replicas_is_never_replaced(pair):
    told = pair.primary.minion.call("replica.check", "/srv/nowhere", confirm="db1")
    assert not told["fits"]
    words = " ".join(told["reasons"])
    assert "has replicas of its own" in words
    assert "may be a primary" in words
    assert "/srv/nowhere is no directory" in words
    with pytest.raises(Refused, match="may be a primary"):
        pair.primary.minion.call("replica.install", "/srv/nowhere", confirm="db1")
    assert pair.primary.minion.call("replica.info")["running"]


def test_an_unprepared_backup_and_a_wrong_name_are_refused_at_once(pair):
    pair.bring(prepare=False)
    before = pair.call("replica.info")
    with pytest.raises(Refused, match=r"confirm has to name.*is not prepared"):
        pair.call("replica.install", INCOMING, confirm="db1")
    pair.as_before(before)


def install_and_start(pair, **options):
    pair.bring()
    pair.call("replica.install", INCOMING, confirm="db2", discard_own_writes=True, **options)
    return pair.call("replica.start_isolated")


def test_new_data_is_installed_and_replicates_equal_and_is_not_settled_without_a_proof(pair):
    isolated = install_and_start(pair)
    assert (isolated["channels"], isolated["variables"]["read_only"], isolated["schemas"]) == ([], "ON", ["shop"])
    pair.call("replica.point", pair.primary.machine.ip, donor_is_primary=True)
    pair.call("replica.start_replication")
    assert pair.replicates()
    one, other = pair.count_both()
    assert (one["root"], one["mark"]["gtid"]) == (other["root"], other["mark"]["gtid"])
    assert (one["unproved"], one["tables"]) == ([["shop", "numbers", "InnoDB"], ["shop", "old", "Aria"]], 3)
    with pytest.raises(Refused, match="was not proved yet"):
        pair.call("replica.settle")
    own = pair.call("replica.info")["installation"]["id"]
    with pytest.raises(Refused, match=f"was the installation another, and {own} is under way"):
        pair.call("replica.proved", {"proved": True}, installation="another")
    assert pair.call("replica.info")["installation"]["step"] == "replicating"
    pair.call("replica.roll_back")
    assert pair.call("replica.discard") == {"removed": True}


@pytest.fixture
def override(pair):
    """Options that the administrator has given the replica's unit."""
    place = "/etc/systemd/system/mariadb.service.d/override.conf"
    pair.replica.machine.run(["install", "-D", "/dev/stdin", place], input=OVERRIDE)
    pair.replica.machine.run(["systemctl", "daemon-reload"])
    yield
    pair.replica.machine.run(["rm", place])
    pair.replica.machine.run(["systemctl", "daemon-reload"])


OVERRIDE = '[Service]\nEnvironment="MYSQLD_OPTS=--slow-query-log --long-query-time=7"\n'


@pytest.mark.slow
def test_settled_data_stays_and_the_old_is_dropped_by_its_name(pair, override):
    install_and_start(pair)
    assert pair.replica.sql("SELECT @@slow_query_log, @@long_query_time") == [["1", "7.000000"]]
    pair.call("replica.point", pair.primary.machine.ip, donor_is_primary=True)
    pair.call("replica.start_replication")
    pair.call("replica.proved", {"by": "test"})
    kept = pair.call("replica.settle")["kept"]
    with pytest.raises(Refused, match="confirm has to name what is removed"):
        pair.call("replica.drop_old", "/srv/mysql")
    for data in ("/srv/mysql/", kept):
        with pytest.raises(Refused, match="is, holds or lies in"):
            pair.call("replica.install", data, confirm="db2", discard_own_writes=True)
    assert pair.replicates()
    assert pair.call("replica.drop_old", kept)["bytes"] > 1e6
    assert not pair.replica.machine.disk(kept).exists()
    assert pair.replicates()
    with configured(pair.replica, "event_scheduler = ON"):
        variables = pair.call("replica.info")["variables"]
        assert (variables["read_only"], variables["event_scheduler"]) == ("ON", "OFF")
        assert pair.replica.value("SELECT @@slow_query_log") == "1"
    assert pair.replicates()


def test_a_server_that_does_not_start_on_its_new_data_has_its_old_back(pair):
    before = pair.call("replica.info")
    pair.bring()
    pair.replica.machine.disk(f"{INCOMING}/ibdata1").write_bytes(b"\0" * 12_582_912)
    pair.call("replica.install", INCOMING, confirm="db2", discard_own_writes=True)
    with pytest.raises(Refused, match="did not start"):
        pair.call("replica.start_isolated")
    pair.as_before(before)
    assert pair.replica.machine.disk(INCOMING).is_dir()


STEPS = ("install", "start_isolated", "point", "start_replication", "proved")


@pytest.mark.parametrize(
    "reached",
    [pytest.param(n, id=step, marks=[pytest.mark.slow] * (step in STEPS[:-1])) for n, step in enumerate(STEPS, 1)],
)
def test_an_installation_is_taken_back_from_whatever_step_it_reached(pair, reached):
    before = pair.call("replica.info")
    pair.bring()
    given = {
        "install": ((INCOMING,), {"confirm": "db2", "discard_own_writes": True}),
        "point": ((pair.primary.machine.ip,), {"donor_is_primary": True}),
        "proved": (({"by": "test"},), {}),
    }
    for step in STEPS[:reached]:
        args, options = given.get(step, ((), {}))
        pair.call(f"replica.{step}", *args, **options)
    assert pair.call("replica.roll_back")["datadir"] == before["datadir"]
    pair.as_before(before)
    assert pair.replica.machine.output("find", "/srv", "-maxdepth", "1", "-name", "mysql.before-*") == ""


@pytest.mark.slow
def test_what_nobody_goes_on_with_is_taken_back_by_itself(pair):
    """Also where somebody lets systemd read its units anew all the while, as Salt's beacon of a masked service does."""
    before = pair.call("replica.info")
    pair.bring()
    reloads = pair.replica.machine.popen(["sh", "-c", "while systemctl daemon-reload; do sleep 1; done"])
    pair.call("replica.install", INCOMING, confirm="db2", discard_own_writes=True, lease=15)
    assert pair.call("replica.info")["unit"]["masked"]
    assert eventually(lambda: pair.call("replica.info")["installation"] is None)
    reloads.terminate()
    reloads.wait()
    assert eventually(lambda: pair.call("replica.info")["running"])
    assert eventually(lambda: pair.leftovers() == "")
    pair.as_before(before)


@pytest.mark.slow
def test_a_power_cut_in_the_middle_is_taken_back_at_boot(pair):
    before = pair.call("replica.info")
    install_and_start(pair)
    pair.replica.machine.reboot()
    pair.replica.minion.start()
    assert eventually(lambda: pair.call("replica.info")["installation"] is None)
    assert eventually(lambda: pair.call("replica.info")["running"])
    assert eventually(lambda: pair.leftovers() == "")
    pair.as_before(before)


@pytest.mark.slow
def test_a_paused_replica_goes_on_by_itself(pair):
    pair.call("replica.pause", lease=10)
    assert pair.call("replica.info")["channels"][0]["sql"] == "No"
    assert eventually(lambda: pair.call("replica.info")["channels"][0]["sql"] == "Yes")
    assert eventually(lambda: pair.leftovers() == "")


@pytest.fixture
def writable(pair):
    """Run statements on the replica itself that neither its log nor its primary ever sees."""

    def change(statements):
        pair.replica.sql(f"SET SESSION sql_log_bin=0; {statements}", "shop")

    return change


def test_a_replica_that_gave_up_is_not_waited_for(pair, writable):
    writable("DELETE FROM customer WHERE id=9")
    pair.primary.sql("UPDATE customer SET name='other' WHERE id=9", "shop")
    for what in ({"gtid": pair.sample()["gtid"]}, {"lag": 10}):
        with pytest.raises(Refused, match="Can't find record in 'customer'"):
            pair.call("replica.wait", timeout=3600, **what)
    writable("INSERT INTO customer (id) VALUES (9)")
    pair.replica.sql("START SLAVE")
    assert pair.replicates()


@pytest.mark.parametrize(
    ("change", "back", "named"),
    [
        ("UPDATE customer SET photo='x' WHERE id=7", "UPDATE customer SET photo=UNHEX(SHA1(7)) WHERE id=7",
         ["row", "shop", "customer"]),
        pytest.param(
            "DROP TRIGGER named",
            "CREATE TRIGGER named BEFORE INSERT ON customer FOR EACH ROW SET NEW.kind = COALESCE(NEW.kind, 'b')",
            None,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "DROP VIEW rich",
            "CREATE VIEW rich AS SELECT id FROM customer WHERE worth > 1000",
            None,
            marks=pytest.mark.slow,
        ),
        ("GRANT INSERT ON shop.* TO reader@'10.%'", "REVOKE INSERT ON shop.* FROM reader@'10.%'",
         ["definition", "schema grant", "'reader'@'10.%'@shop"]),
    ],
)
def test_one_thing_that_differs_makes_another_count(pair, writable, change, back, named):
    before, same = pair.count_both()
    assert before["root"] == same["root"]
    writable(change)
    one, other = pair.count_both()
    assert one["root"] != other["root"]
    if named:
        assert [entry[:3] for entry in pair.differing()] == [named]
    writable(back)


SET_GLOBALLY = """SET GLOBAL sql_select_limit={}, GLOBAL group_concat_max_len={}, GLOBAL max_statement_time={},
    GLOBAL idle_transaction_timeout={}"""

SHORT = 0.1
"""Seconds for a statement: too few to count all, and enough for one word even on a busy machine."""


@contextlib.contextmanager
def set_globally(*databases):
    """What administrators say for the sake of their applications."""
    for database in databases:
        database.sql(f"{SET_GLOBALLY.format(2, 4, SHORT, 5)}; SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
    try:
        yield
    finally:
        for database in databases:
            usual = SET_GLOBALLY.format("DEFAULT", "DEFAULT", 0, 0)
            database.sql(f"SET SESSION max_statement_time=0; {usual}")
            database.sql("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ")


@contextlib.contextmanager
def written_to(primary):
    """A table that others than the first are counted before, and that grows all the while, until it is gone."""
    loop = "LOOP INSERT INTO shop.written VALUES (UUID()); DO SLEEP(0.002); END LOOP"
    primary.sql("CREATE TABLE shop.written (id CHAR(36))")
    primary.sql(f"DELIMITER //\nCREATE PROCEDURE shop.work() BEGIN {loop}; END //")
    writer = primary.machine.popen(["mariadb", "-e", "CALL shop.work()"])
    assert eventually(lambda: primary.value("SELECT COUNT(*) FROM shop.written") != "0")
    try:
        yield
        assert writer.poll() is None
    finally:
        primary.sql("DROP TABLE shop.written; DROP PROCEDURE shop.work")
        writer.wait()


def test_what_is_set_globally_neither_cuts_a_count_nor_moves_its_snapshot(pair, writable):
    with written_to(pair.primary), set_globally(pair.primary, pair.replica):
        one, other = pair.count_both()
        assert (one["root"], one["tables"]) == (other["root"], 4)
        at_ease = "SET SESSION max_statement_time=0"
        grant = "UPDATE ON shop.* TO reader@'10.%'"
        writable(f"{at_ease}; UPDATE customer SET photo='x' WHERE id=7; GRANT {grant}")
        one, other = pair.count_both()
        assert one["root"] != other["root"]
        assert [entry[:3] for entry in pair.differing()] == [
            ["row", "shop", "customer"], ["definition", "schema grant", "'reader'@'10.%'@shop"]
        ]
        revoke = grant.replace(" TO ", " FROM ")
        writable(f"{at_ease}; UPDATE customer SET photo=UNHEX(SHA1(7)) WHERE id=7; REVOKE {revoke}")


@pytest.mark.slow
def test_tables_of_other_engines_are_compared_too_under_a_lock(pair, writable):
    one, other = pair.count_both(lock_others=True)
    assert (one["unproved"], one["tables"], one["root"]) == ([], 5, other["root"])
    writable("UPDATE old SET id=2")
    one, other = pair.count_both(lock_others=True)
    assert one["root"] != other["root"]
    assert [entry[:3] for entry in pair.differing()] == [["row", "shop", "old"]]
    writable("UPDATE old SET id=1")


@pytest.fixture
def keeper(pair):
    """A minion on the replica that logs in with a password."""
    config = {**KEEPER, "replication": {"user": "repl", "password": REPLICATION_PASSWORD}}
    with contextlib.closing(Minion(pair.replica.machine, replica=config)) as minion:
        yield minion


def test_no_secret_is_shown_to_anybody_while_it_is_used_nor_left_anywhere(pair, keeper):
    pair.bring()
    with overlooked(pair.replica.machine) as shown:
        keeper.call("replica.login", pair.primary.machine.ip)
        keeper.call("replica.install", INCOMING, confirm="db2", discard_own_writes=True)
        keeper.call("replica.start_isolated")
        keeper.call("replica.point", pair.primary.machine.ip, donor_is_primary=True)
        keeper.call("replica.start_replication")
        keeper.call("replica.wait", gtid=pair.sample()["gtid"], timeout=30)
        keeper.call("replica.pause")
        keeper.call("replica.go_on")
        pair.replica.sql("STOP SLAVE")
        with pytest.raises(Refused) as error:
            keeper.call("replica.point", "x" * 300, donor_is_primary=True)
    assert any(b"mariadb\0--defaults-file=" in each for each in shown)
    for secret in (REPLICATION_PASSWORD, KEEPER["password"]):
        assert [each for each in shown if secret.encode() in each] == []
        assert secret not in str(error.value)
        assert_forgotten(pair.replica.machine, secret)


def assert_forgotten(machine, secret):
    places = ["/var/lib/salt-transfer", "/etc", "/tmp", "/run", "/var/log"]
    own = [f"--exclude-dir={name}" for name in ("__pycache__", ".venv")]  # of a checkout in /tmp, which has other words
    searched = ["grep", "-rlF", "--devices=skip", *own, "--", secret, *places]
    assert machine.run(searched, check=False).stdout == ""
    assert secret not in machine.run(["journalctl", "--no-pager"]).stdout
