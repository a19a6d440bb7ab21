"""Defects of the tools that came before us which can be seen in the code; tests/integration has the others."""

import ast

from tests.conftest import CHECKOUT

FOLDERS = ("_utils", "_modules", "_output", "_runners", "_states")
PACE_WHILE_THE_MASTER_IS_AWAY = ("_utils/saltface.py", "_next_event")
PACE_OF_A_MINION_THAT_CAN_ONLY_ASK_AGAIN = ("_states/transfer.py", "_awaited")
PACE_OF_A_SERVER_THAT_CAN_ONLY_BE_ASKED = ("_utils/replicahost/replicating.py", "_pace")
PACE_OF_A_UNIT_ELSEWHERE_THAT_CAN_ONLY_BE_ASKED = ("_utils/replicamaster/repairing.py", "_pace")
PACES = (
    PACE_WHILE_THE_MASTER_IS_AWAY, PACE_OF_A_MINION_THAT_CAN_ONLY_ASK_AGAIN, PACE_OF_A_SERVER_THAT_CAN_ONLY_BE_ASKED,
    PACE_OF_A_UNIT_ELSEWHERE_THAT_CAN_ONLY_BE_ASKED,
)


def sleeps():
    """(file, function) of every call of something named sleep in the product."""
    for folder in FOLDERS:
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            for function in ast.walk(ast.parse(path.read_text())):
                if isinstance(function, ast.FunctionDef):
                    yield from ((str(path.relative_to(CHECKOUT)), function.name) for _ in calls(function, "sleep"))


def calls(tree, name):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name in (getattr(node.func, "id", ""), getattr(node.func, "attr", "")):
            yield node


def test_readiness_is_never_a_matter_of_sleeping():
    """Whatever is waited for says so: by a socket, a pipe, a lock or an event."""
    assert sorted(sleeps()) == sorted(PACES)


def test_a_sleep_would_be_found():
    function = ast.parse("def f():\n    time.sleep(3)\n    sleep(1)\n    asleep(2)")
    assert len(list(calls(function, "sleep"))) == 2
