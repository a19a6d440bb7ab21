import pytest

from hosttools.commands import ANY, Command, Result, drive
from hosttools.errors import CommandFailed


def asks_twice():
    first = yield Command(("one",))
    second = yield Command(("two", "words"), stdin=b"in")
    return first.stdout + second.stdout


def test_a_program_is_sent_the_result_of_each_command_and_returns_its_value():
    told = []

    def run(command):
        told.append((command.argv, command.stdin))
        return Result(stdout=command.argv[0].encode())

    assert drive(asks_twice(), run) == b"onetwo"
    assert told == [(("one",), b""), (("two", "words"), b"in")]


def test_a_program_without_commands_runs_nothing():
    def program():
        return 7
        yield

    assert drive(program(), run=None) == 7


def test_an_unexpected_status_is_a_sentence_with_the_call_and_its_words():
    with pytest.raises(CommandFailed) as caught:
        drive(asks_twice(), lambda command: Result(3, stderr=b"no such thing\n\n  really\n"))
    assert caught.value.text == "`one` ended with status 3: no such thing; really"
    assert caught.value.evidence == {"argv": ["one"], "status": 3}


def test_a_tool_that_fails_silently_is_told_as_such():
    with pytest.raises(CommandFailed, match="it said nothing"):
        drive(asks_twice(), lambda command: Result(1))


def test_a_program_can_answer_a_failure():
    def program():
        try:
            yield Command(("first",))
        except CommandFailed:
            result = yield Command(("second",))
            return result.status

    assert drive(program(), lambda command: Result(1 if command.argv == ("first",) else 0)) == 0


@pytest.mark.parametrize(("ok", "status"), [(ANY, 127), (frozenset({0, 5}), 5)])
def test_a_status_that_the_command_allows_is_a_result(ok, status):
    def program():
        result = yield Command(("tool",), ok=ok)
        return result.status

    assert drive(program(), lambda command: Result(status)) == status
