"""What every firewall backend must do, shown on real firewalls: by connections, and by what the firewall lists."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosttools import errors, firewall
from hosttools.commands import drive
from hosttools.pinholes import Pinhole, tag

from .guards import FIREWALLD, GUARDS, SERVICE, snapshot
from .hosts import ADDRESSES, FAMILIES, LONGEST_KNOCK, OTHER_PORT, PATIENCE, PORT, hosts

pytestmark = pytest.mark.root

TRANSFER = "0123456789abcdef0123456789abcdef"
TAG = tag(TRANSFER, 1)
LONG = 600
SHORT = 10
BOTH, NONE = set(FAMILIES), set()
TICK = threading.Event()
"""Never set: waiting on it is the pause between two looks at the kernel."""


@pytest.fixture(params=(*GUARDS, FIREWALLD), ids=lambda guard: guard.name)
def guard(request):
    return request.param


@pytest.fixture
def net(guard, request):
    with hosts(request.getfixturevalue("machine") if guard is FIREWALLD else None) as found:
        yield found


@pytest.fixture
def destination(net, guard):
    host = net["destination"]
    guard.install(host)
    with host.listening(PORT, OTHER_PORT):
        yield host


@pytest.fixture
def source(net):
    return net["source"]


@pytest.fixture
def third(net):
    return net["third"]


def surveyed(host):
    return drive(firewall.survey(), host.run)


def pinhole(host, *sources, label=TAG, port=PORT):
    """A pinhole for both addresses of the sources, through what the survey found."""
    addresses = tuple(address for source in sources for address in source.addresses.values())
    bare = Pinhole(label, addresses, host.addresses["ip"], port)
    return firewall.with_chains(bare, surveyed(host)["chains"])


def opened(host, *sources, lease=LONG, **options):
    hole = pinhole(host, *sources, **options)
    drive(firewall.open(hole, lease), host.run)
    return hole


def close(host, label=TAG):
    drive(firewall.close(label), host.run)


def listed(host, prefix=TAG):
    return drive(firewall.openings(prefix), host.run)


def reached(source, destination, port=PORT, patience=LONGEST_KNOCK):
    """The address families in which a connection is made."""
    return {family for family in FAMILIES if source.reaches(destination, family, port, patience)}


def wait_until(fact):
    """Look until the fact holds; a kernel that never gets there fails the test."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        TICK.wait(0.1)


def test_the_survey_names_the_chains_that_decide(destination, guard):
    facts = surveyed(destination)
    assert (places(facts["chains"]), facts["backend"]) == (guard.chains, guard.backend)
    assert (facts["drops"], facts["trouble"]) == (True, [])


def places(chains):
    return {tuple(chain[key] for key in ("backend", "variant", "family", "table", "chain")) for chain in chains}


def test_the_port_opens_for_the_source_alone_and_is_refused_again(destination, source, third):
    assert (reached(source, destination), reached(third, destination)) == (NONE, NONE)
    opened(destination, source)
    assert (reached(source, destination), reached(third, destination)) == (BOTH, NONE)
    assert reached(source, destination, OTHER_PORT) == NONE
    close(destination)
    assert (reached(source, destination), reached(third, destination)) == (NONE, NONE)


def test_what_is_dropped_without_a_word_is_opened_too(net, guard, source):
    host = net["destination"]
    guard.install(host, refuse=False)
    with host.listening(PORT):
        assert reached(source, host, patience=0.2) == NONE
        opened(host, source)
        assert reached(source, host) == BOTH


def test_a_lease_is_renewed_ends_by_itself_and_leaves_nothing(machine):
    """All guards at once, because most of this is waiting."""
    places = {**dict.fromkeys(GUARDS), FIREWALLD: machine}
    with ThreadPoolExecutor(len(places)) as pool:
        assert list(pool.map(live_and_die, *zip(*places.items(), strict=True))) == [guard.name for guard in places]


def live_and_die(guard, place):
    with hosts(place) as net, net["destination"].listening(PORT):
        destination, source = net["destination"], net["source"]
        guard.install(destination)
        before = snapshot(destination)
        hole = opened(destination, source, lease=SHORT)
        live_longer_than_one_lease(hole, destination)
        assert reached(source, destination) == BOTH
        wait_until(lambda: reached(source, destination) == NONE)
        wait_until(lambda: still_open(destination) == [])
        revive(hole, destination)
        assert reached(source, destination) == BOTH
        wait_until(lambda: still_open(destination) == [])
        close(destination)
        assert snapshot(destination) == before
    return guard.name


def still_open(host):
    return [opening for opening in listed(host) if not opening.expired]


def revive(hole, host):
    """Renew what has ended. Where even the rule ends with its lease, it has to be opened again."""
    try:
        drive(firewall.renew(hole, SHORT), host.run)
    except errors.PinholeGone:
        drive(firewall.reopen(hole, SHORT), host.run)


def live_longer_than_one_lease(hole, host):
    beyond = time.monotonic() + 1.5 * SHORT
    while time.monotonic() < beyond:
        TICK.wait(SHORT / 8)
        drive(firewall.renew(hole, SHORT), host.run)


def test_closing_leaves_the_rules_as_they_were_and_can_be_repeated(destination, source):
    before = snapshot(destination)
    opened(destination, source)
    assert snapshot(destination) != before
    close(destination)
    assert snapshot(destination) == before
    close(destination)
    assert snapshot(destination) == before


def test_opening_again_replaces_what_was_open(destination, source, third):
    opened(destination, source)
    opened(destination, third, lease=LONG - 1)
    assert (reached(source, destination), reached(third, destination)) == (NONE, BOTH)
    found = listed(destination)
    assert {opening.source for opening in found} == set(ADDRESSES["third"].values())
    assert len(found) == len(set(found))


@pytest.mark.parametrize("guard", [each for each in GUARDS if each.on_top], ids=lambda guard: guard.name)
def test_opening_the_same_again_goes_to_the_top(destination, source, guard):
    """In firewalld nothing else gets to the top."""
    opened(destination, source)
    for place in guard.chains:
        INSERT[place[0]](destination, place, "reject")
    assert reached(source, destination) == NONE
    opened(destination, source)
    assert reached(source, destination) == BOTH
    close(destination)
    assert listed(destination) == []


def test_several_sources_are_admitted_at_once(destination, source, third):
    opened(destination, source, third)
    assert (reached(source, destination), reached(third, destination)) == (BOTH, BOTH)


def test_two_transfers_do_not_touch_each_other(destination, source, third):
    other = tag("f" * 32, 1)
    opened(destination, source)
    opened(destination, third, label=other, port=OTHER_PORT)
    assert reached(third, destination, OTHER_PORT) == BOTH
    close(destination, other)
    assert reached(source, destination) == BOTH
    assert reached(third, destination, OTHER_PORT) == NONE


def test_the_listing_tells_source_port_chain_and_time_left(destination, source, guard):
    opened(destination, source, lease=LONG)
    found = listed(destination)
    assert {opening.source for opening in found} == set(source.addresses.values())
    assert {(opening.tag, opening.port) for opening in found} == {(TAG, PORT)}
    if guard is FIREWALLD:
        assert {(opening.remaining, opening.expiry) for opening in found} == {(None, "daemon")}
    else:
        assert all(LONG - 60 < opening.remaining <= LONG and opening.expiry == "kernel" for opening in found)
    assert places(opening.as_dict() for opening in found) == guard.chains


def test_only_tags_with_the_prefix_are_listed(destination, source):
    opened(destination, source)
    assert listed(destination, "salt-transfer:f") == []
    assert listed(destination, f"salt-transfer:{TRANSFER}")


def test_an_administrators_identical_rule_survives(destination, source, guard):
    for comment in ("", f"see {TAG}", f"{TAG} copied"):
        admit(destination, guard, source, comment)
    theirs = snapshot(destination)
    opened(destination, source)
    close(destination)
    assert snapshot(destination) == theirs
    assert reached(source, destination) == BOTH


def admit(host, guard, source, comment):
    """What an administrator would insert who wants the same as we, in every chain that decides."""
    for place in guard.chains:
        for family, address in source.addresses.items():
            if place[2] in (family, "inet"):
                INSERT[place[0]](host, place, "accept", family, address, comment)


def insert_by_nft(host, place, verdict, family="", source="", comment=""):
    _, _, *chain = place
    verdicts = {"accept": "accept", "reject": "reject with tcp reset"}
    words = [f"{family} saddr {source}" if source else "", f"tcp dport {PORT}", verdicts[verdict]]
    note = f'comment "{comment}"' if comment else ""
    host.call("nft", "-f", "-", stdin=" ".join(["insert rule", *chain, *words, note, "\n"]))


def insert_by_iptables(host, place, verdict, family="", source="", comment=""):
    _, variant, own_family, table, chain = place
    verdicts = {"accept": ["-j", "ACCEPT"], "reject": ["-j", "REJECT", "--reject-with", "tcp-reset"]}
    tool = {"ip": "iptables", "ip6": "ip6tables"}[own_family]
    match = ["-p", "tcp", *(["-s", source] if source else []), "--dport", str(PORT)]
    note = ["-m", "comment", "--comment", comment] if comment else []
    host.call(f"{tool}-{variant}", "-t", table, "-I", chain, "1", *match, *note, *verdicts[verdict])


def insert_by_firewalld(host, place, verdict, family="", source="", comment=""):
    note = f'log prefix="{comment}"' if comment else ""
    rule = f'rule family="{"ipv6" if ":" in source else "ipv4"}" source address="{source}"'
    rule = f'{rule} port port="{PORT}" protocol="tcp" {note} {verdict}'
    host.call("firewall-cmd", f"--zone={place[-1]}", f"--add-rich-rule={rule}")


INSERT = {"nft": insert_by_nft, "iptables": insert_by_iptables, "firewalld": insert_by_firewalld}
"""How somebody else puts a rule to the top of a chain, by backend."""


def test_a_reload_by_others_is_noticed_and_can_be_answered(destination, source, guard):
    hole = opened(destination, source)
    guard.install(destination)
    assert reached(source, destination) == NONE
    with pytest.raises(errors.PinholeGone, match=f"port {PORT} on {ADDRESSES['destination']['ip']} is gone"):
        drive(firewall.renew(hole, LONG), destination.run)
    again = drive(firewall.reopen(hole, LONG), destination.run)
    assert reached(source, destination) == BOTH
    drive(firewall.renew(again, LONG), destination.run)


def test_closing_after_a_reload_by_others_succeeds(destination, source, guard):
    before = snapshot(destination)
    opened(destination, source)
    guard.install(destination)
    close(destination)
    assert snapshot(destination) == before


def test_closing_after_everything_was_flushed_succeeds(destination, source):
    opened(destination, source)
    destination.call("nft", "flush", "ruleset")
    for tool in ("iptables-legacy", "ip6tables-legacy"):
        destination.call(tool, "-F", "INPUT")
    close(destination)
    assert listed(destination) == []


def test_closing_one_pinhole_leaves_the_others_open(destination, source):
    living = tag("f" * 32, 2)
    opened(destination, source)
    opened(destination, source, label=living, port=OTHER_PORT)
    close(destination)
    assert reached(source, destination) == NONE
    assert reached(source, destination, OTHER_PORT) == BOTH


def test_the_service_of_the_administrator_stays_reachable(destination, source, third):
    with destination.listening(SERVICE):
        opened(destination, source)
        assert reached(third, destination, SERVICE) == BOTH
        close(destination)
        assert reached(third, destination, SERVICE) == BOTH
