"""How the client of the database is spoken to and read."""

import pytest

from hosttools import sql
from hosttools.errors import UnreadableOutput


def test_words_become_literals_that_cannot_end_early():
    assert sql.quote("it's \\ x") == "'it\\'s \\\\ x'"
    assert sql.identifier("a`b") == "`a``b`"


def test_no_secret_is_in_the_command_line():
    command = sql.client("mariadb", "/proc/self/fd/9", "SELECT 'secret'")
    assert not any("secret" in word for word in command.argv)
    assert command.argv[1] == "--defaults-file=/proc/self/fd/9"  # which has to come first
    assert command.stdin.startswith(sql.PREAMBLE.encode())


def test_a_limit_that_is_set_globally_cuts_no_answer():
    """It is said to MariaDB and MySQL alike, and behind what the client itself may say (`safe-updates`)."""
    command = sql.client("mysql", "/x", "SELECT 1")
    assert b"sql_select_limit=18446744073709551615" in command.stdin.split(b";")[0]


def test_no_statement_of_ours_is_ended_by_a_time_that_is_set_globally():
    """Only MariaDB reads such a comment, and MySQL has no such variable."""
    assert b" /*M!100101 , max_statement_time=0 */" in sql.client("mariadb", "/x", "SELECT 1").stdin.split(b";")[0]


def test_a_defaults_file_quotes_what_is_special_in_it():
    text = sql.defaults({"user": "x", "password": 'a"b\\c#d', "socket": ""})
    assert text == '[client]\nuser="x"\npassword="a\\"b\\\\c#d"\n'


def test_rows_are_read_with_their_escapes():
    printed = b"a\tb\n1\tx\\ty\\nz\\\\\n2\tNULL\n"
    assert sql.rows(printed) == [{"a": "1", "b": "x\ty\nz\\"}, {"a": "2", "b": None}]
    assert sql.rows(b"") == []


def test_documents_are_read_or_refused():
    assert list(sql.documents(b'{"a": 1}\n"x"\n')) == [{"a": 1}, "x"]
    with pytest.raises(UnreadableOutput):
        list(sql.documents(b"oops"))


BREAKS = "\u2028 \u2029 \x85 \x1c \x1d \x1e \r \v \f"


def test_a_name_holds_what_others_take_for_the_end_of_a_line():
    """JSON need not escape most of them; the client ends its lines by the one that it does."""
    assert list(sql.documents(f'{{"a": 1}}\n"x{BREAKS}"\n'.encode())) == [{"a": 1}, f"x{BREAKS}"]
    assert sql.trouble(f"ERROR 1146 (42S02) at line 2: No table 'x{BREAKS}'\n".encode()) == (
        1146, f"No table 'x{BREAKS}'"
    )


def test_what_a_server_says_is_taken_and_not_the_statement():
    statement = b"--------------\nCHANGE MASTER TO MASTER_PASSWORD='x'\n--------------\n\n"
    said = statement + b"ERROR 1045 (28000) at line 2: Access denied\n"
    assert sql.trouble(said) == (1045, "Access denied")
    assert sql.trouble(b"what?")[0] == 0
