"""With what a database is logged in to: from configuration and pillar, never shown."""

import pytest

from datamover.errors import SpecInvalid
from transferworker.login import Login


def test_the_configuration_comes_before_the_pillar():
    found = Login.read({"user": "own"}, {"user": "other", "password": "x", "unit": "mariadb.service"})
    assert (found.user, found.password) == ("own", "x")
    assert Login.read(None, None) == Login("root", "", "")


def test_a_password_is_not_shown_and_survives_a_defaults_file():
    login = Login("backup", 'it\'s \\ "odd"')
    assert "odd" not in repr(login)
    assert 'password="it\'s \\\\ \\"odd\\""' in login.text("/run/s.sock")


def test_a_file_of_the_administrator_is_included_and_the_socket_still_counts():
    text = Login(defaults_file="/root/.my.cnf").text("/run/s.sock")
    assert text.startswith("!include /root/.my.cnf\n") and 'socket="/run/s.sock"' in text and "user=" not in text


@pytest.mark.parametrize("layer", ["root", ["user"], {"user": 7}, {"password": "two\nlines"}])
def test_what_is_no_login_is_refused(layer):
    with pytest.raises(SpecInvalid, match="replica"):
        Login.read(layer)


def test_all_that_is_wrong_is_told_at_once_and_not_shown():
    with pytest.raises(SpecInvalid) as error:
        Login.read({"user": 7, "password": 987123})
    where = "replica:user and replica:password in this minion's configuration or pillar"
    assert error.value.text == f"{where} must be text of one line, in quotes"
