"""Firewalls as administrators set them up: each refuses what comes in except one service, by a means of its own."""

import json
import re
from dataclasses import dataclass, field

SERVICE = 22

NFT_INET = """
table inet filter {
    set trusted { type ipv4_addr; elements = { 192.0.2.1 } ; }
    chain services {
        tcp dport 22 accept
    }
    chain input {
        type filter hook input priority filter; policy drop;
        iif lo accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        ct state vmap { established : accept, invalid : drop }
        ip saddr @trusted accept
        jump services
        REFUSE
    }
}
"""

NFT_SPLIT = """
table ip guard {
    chain in {
        type filter hook input priority 5; policy accept;
        ct state established accept
        tcp dport 22 accept
        goto refuse
    }
    chain refuse {
        REFUSE
        drop
    }
}
table ip6 guard {
    chain in {
        type filter hook input priority 5; policy accept;
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        ct state established accept
        tcp dport 22 accept
        goto refuse
    }
    chain refuse {
        REFUSE
        drop
    }
}
"""

IPTABLES = """
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:services - [0:0]
-A INPUT -i lo -j ACCEPT
NEIGHBOURS
-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -j services
-A services -p tcp -m tcp --dport 22 -m comment --comment "remote \\"hands\\"" -j ACCEPT
REFUSE
COMMIT
"""

FIREWALLD_ZONE = """\
<?xml version="1.0" encoding="utf-8"?>
<zone target="DROP">
  <short>Public</short>
  <service name="ssh"/>
REFUSE</zone>
"""
FIREWALLD_REFUSAL = """\
  <rule family="FAMILY" priority="32767"><protocol value="tcp"/><reject type="tcp-reset"/></rule>
"""

NEIGHBOURS = {
    "ip": "",
    "ip6": "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT\n"
    "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT",
}


@dataclass(frozen=True)
class Guard:
    """One way to guard a host. `chains` are those that decide: (backend, variant, family, table, chain). `on_top` says
    whether a pinhole goes before all that others put to the top of them.
    """

    name: str
    chains: frozenset
    backend: str
    nft: str = field(default="", repr=False)
    iptables: str = field(default="", repr=False)
    on_top: bool = True

    def install(self, host, refuse=True):
        """Set the rules as at boot. With `refuse` a refused connection is told so at once, else it is dropped."""
        if self.nft:
            refusal = "meta l4proto tcp reject with tcp reset" if refuse else ""
            host.call("nft", "-f", "-", stdin="flush ruleset\n" + self.nft.replace("REFUSE", refusal))
        if self.iptables:
            for family, tool in (("ip", f"iptables-{self.iptables}"), ("ip6", f"ip6tables-{self.iptables}")):
                host.call(f"{tool}-restore", stdin=_rules(family, refuse))


def _rules(family, refuse):
    rule = "-A INPUT -p tcp -j REJECT --reject-with tcp-reset" if refuse else ""
    return IPTABLES.replace("NEIGHBOURS", NEIGHBOURS[family]).replace("REFUSE", rule)


def _both(variant):
    return {("iptables", variant, family, "filter", "INPUT") for family in ("ip", "ip6")}


INET_CHAIN = ("nft", "", "inet", "filter", "input")
SPLIT_CHAINS = {("nft", "", family, "guard", "in") for family in ("ip", "ip6")}

GUARDS = (
    Guard("nft-inet", frozenset({INET_CHAIN}), "nft", nft=NFT_INET),
    Guard("nft-ip-ip6", frozenset(SPLIT_CHAINS), "nft", nft=NFT_SPLIT),
    Guard("iptables-nft", frozenset(_both("nft")), "iptables", iptables="nft"),
    Guard("iptables-legacy", frozenset(_both("legacy")), "iptables", iptables="legacy"),
    Guard("nft-and-iptables-nft", frozenset({INET_CHAIN} | _both("nft")), "mixed", nft=NFT_INET, iptables="nft"),
    Guard("nft-and-legacy", frozenset(SPLIT_CHAINS | _both("legacy")), "mixed", nft=NFT_SPLIT, iptables="legacy"),
)


class Firewalld:
    """A real firewalld, on a machine of the lab. It puts its rules back by itself. When it cannot, it is started anew,
    and its first answer comes when its rules are there.
    """

    name = backend = "firewalld"
    on_top = False
    chains = frozenset({("firewalld", "", "inet", "zone", "public")})

    def install(self, host, refuse=True):
        refusals = [FIREWALLD_REFUSAL.replace("FAMILY", family) for family in ("ipv4", "ipv6") if refuse]
        zone = FIREWALLD_ZONE.replace("REFUSE", "".join(refusals))
        host.call("tee", "/etc/firewalld/zones/public.xml", stdin=zone)
        host.call("sh", "-c", "firewall-cmd --reload || { systemctl restart firewalld && firewall-cmd --state; }")


FIREWALLD = Firewalld()


BY_ITSELF = ("handle", "counter", "metainfo", "expires")


def snapshot(host):
    """All rules of a host as its tools print them, without what changes by itself: counters, handles, dates, leases."""
    saves = [f"{tool}-{variant}-save" for tool in ("iptables", "ip6tables") for variant in ("nft", "legacy")]
    printed = [host.call(save) for save in saves]
    lists = host.call("sh", "-c", "ls /proc/net/xt_recent 2>/dev/null || true")
    return [_plain(json.loads(host.call("nft", "-j", "list", "ruleset"))), lists, *map(_without_figures, printed)]


def _without_figures(text):
    return [re.sub(r"\[\d+:\d+\]", "", line) for line in text.splitlines() if not line.startswith("#")]


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items() if key not in BY_ITSELF}
    return [_plain(below) for below in value] if isinstance(value, list) else value
