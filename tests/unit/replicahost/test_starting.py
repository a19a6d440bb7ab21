"""How a unit starts its server, in what systemd shows of it."""

import pytest

from replicahost import starting

DEBIAN = (
    "{ path=/bin/sh ; argv[]=/bin/sh -c set -f; [ ! -e /usr/bin/galera_recovery ] && VAR= ||  "
    "VAR=`/usr/bin/galera_recovery`; [ $? -eq 0 ] || exit 1;  exec /usr/sbin/mariadbd $MYSQLD_OPTS $_WSREP_NEW_CLUSTER "
    "$VAR ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }"
)


def call(argv):
    program = argv.partition(" ")[0]
    return f"{{ path={program} ; argv[]={argv} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}"


TEMPLATE = call("/usr/sbin/mariadbd $MYSQLD_MULTI_INSTANCE $MYSQLD_OPTS $_WSREP_NEW_CLUSTER")


def read(start, *lines):
    return starting.read("\n".join([f"ExecStart={start}", *lines]))


def test_one_of_several_servers_has_the_groups_of_its_own():
    found = read(TEMPLATE, "Environment=MYSQLD_MULTI_INSTANCE=--defaults-group-suffix=.b")
    assert (found.program, found.options) == ("/usr/sbin/mariadbd", ("--defaults-group-suffix=.b",))


def test_options_in_a_variable_are_as_many_words_as_there_are():
    found = read(DEBIAN, 'Environment="MYSQLD_OPTS=--read-only=1 --datadir=/srv/b" LANG=C')
    assert (found.program, found.options) == ("/usr/sbin/mariadbd", ("--read-only=1", "--datadir=/srv/b"))
    assert read(DEBIAN).options == ()


def test_options_that_are_written_out_are_taken_with_variables_in_them():
    found = read(call("/opt/m/bin/mysqld --defaults-file=/etc/${WHICH}.cnf --port=3307"), "Environment=WHICH=two")
    assert (found.program, found.options) == ("/opt/m/bin/mysqld", ("--defaults-file=/etc/two.cnf", "--port=3307"))


def test_files_of_variables_count_more_than_the_unit(tmp_path):
    place = tmp_path / "environment"
    place.write_text("# MYSQLD_OPTS=--no\n\nMYSQLD_OPTS=--datadir=/srv/file --port=3307\nQUOTED='--a b'\n")
    files = [f"EnvironmentFiles={place} (ignore_errors=yes)", "EnvironmentFiles=/nowhere (ignore_errors=yes)"]
    found = read(TEMPLATE, "Environment=MYSQLD_OPTS=--datadir=/srv/unit", *files)
    assert found.options == ("--datadir=/srv/file", "--port=3307")


@pytest.mark.parametrize(
    "start",
    [
        call("/usr/bin/mysqld_safe --datadir=/srv/b"),
        call("/usr/bin/docker run --rm mariadb /usr/sbin/mariadbd --datadir=/srv/b"),
        call("/bin/sh -c . /etc/default/mysql; exec /usr/sbin/mariadbd $OPTIONS"),
        call("/bin/sh -c exec /usr/sbin/mariadbd `cat /etc/options`"),
        call("/bin/sh -c exec /usr/sbin/mariadbd --datadir=/srv/b; exec /usr/bin/other"),
    ],
)
def test_what_only_somebody_else_knows_is_not_guessed(start):
    assert read(start) is None


def test_a_masked_unit_and_one_of_several_calls_tell_nothing():
    assert starting.read("Environment=\n") is None
    assert read(TEMPLATE, f"ExecStart={TEMPLATE}") is None
    assert read(TEMPLATE, 'Environment="MYSQLD_OPTS=') is None
