"""What the meter reads of /proc."""

import pytest
from bench.meter import listens

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0200000A:1267 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11
   1: 0200000A:1268 0100000A:8A1C 01 00000000:00000000 00:00000000 00000000     0        0 12
"""


@pytest.mark.parametrize(("port", "listening"), [(0x1267, True), (0x1268, False), (0x8A1C, False), (1, False)])
def test_a_listener_is_told_from_a_connection(port, listening):
    assert listens(TABLE, port) is listening
