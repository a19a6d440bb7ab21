"""What lies on a machine's disk before its first boot: its name, its units, its firewall."""
import os
from pathlib import Path

from .errors import LabError

UNITS = "/etc/systemd/system"

# What would reach for hardware or the kernel, or takes time at boot and serves nobody here.
NOT_IN_A_MACHINE = (
    "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket", "systemd-sysctl.service", "systemd-modules-load.service",
    "systemd-timesyncd.service", "systemd-remount-fs.service", "systemd-update-utmp.service",
    "systemd-journal-flush.service", "systemd-tmpfiles-clean.timer", "systemd-journald-audit.socket",
    "systemd-initctl.socket", "dev-hugepages.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount",
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "modprobe@.service", "keyboard-setup.service",
    "console-setup.service", "e2scrub_reap.service",
)

TARGET = """\
[Unit]
Description=A machine of the lab
Requires=basic.target lab-booted.service
"""

BOOTED = """\
[Unit]
Description=Tell the lab that the machine is up
After=firewalld.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo up >/run/host/booted'
"""

FIREWALL_UNIT = """\
[Unit]
Description=The firewall of this machine
DefaultDependencies=no
Before=network-pre.target basic.target
[Service]
Type=oneshot
RemainAfterExit=yes
{starts}
"""

NFT_RULES = """\
#!/usr/sbin/nft -f
flush ruleset
table inet filter {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iif lo accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
{services}    }}
}}
"""

IPTABLES_RULES = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p {icmp} -j ACCEPT
{services}COMMIT
"""

FIREWALLD_TREE = Path(__file__).resolve().parent.parent / ".venv/trees/firewalld"
POLKIT_POLICY = "/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1.policy"  # which its package would link
FIREWALLD_ZONE = """\
<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>Public</short>
{services}</zone>
"""

ICMP = {"iptables": "icmp", "ip6tables": "ipv6-icmp"}


def furnish(machine, hosts, firewall, services):
    """Give a machine its identity, a quiet systemd, the names of its neighbours and a firewall with open `services`."""
    machine.install("/etc/hostname", f"{machine.name}\n")
    machine.install("/etc/machine-id", f"{os.urandom(16).hex()}\n")
    machine.install("/etc/fstab", "")
    machine.install("/etc/hosts", hosts)
    machine.install(f"{UNITS}/lab.target", TARGET)
    machine.install(f"{UNITS}/lab-booted.service", BOOTED)
    for name in NOT_IN_A_MACHINE:
        machine.install_link(f"{UNITS}/{name}", "/dev/null")
    _install_firewall(machine, firewall, services)


def _install_firewall(machine, kind, services):
    try:
        commands = FIREWALLS[kind](machine, services)
    except KeyError:
        raise LabError(f"No firewall is called {kind}; there are: {', '.join(FIREWALLS)}") from None
    starts = "\n".join(f"ExecStart={command}" for command in commands)
    machine.install(f"{UNITS}/lab-firewall.service", FIREWALL_UNIT.format(starts=starts))
    machine.install_link(f"{UNITS}/sysinit.target.wants/lab-firewall.service", f"{UNITS}/lab-firewall.service")


def _nft(machine, services):
    accepts = "".join(f"        tcp dport {port} accept\n" for port in services)
    machine.install("/etc/nftables.conf", NFT_RULES.format(services=accepts), 0o755)
    return ["/usr/sbin/nft -f /etc/nftables.conf"]


def _iptables(machine, services, variant=""):
    accepts = "".join(f"-A INPUT -p tcp -m tcp --dport {port} -j ACCEPT\n" for port in services)
    commands = []
    for tool, icmp in ICMP.items():
        machine.install(f"/etc/{tool}.rules", IPTABLES_RULES.format(icmp=icmp, services=accepts))
        commands.append(f"/usr/sbin/{tool}{variant}-restore /etc/{tool}.rules")
    return commands


def _iptables_legacy(machine, services):
    return _iptables(machine, services, "-legacy")


def _firewalld(machine, services):
    """A real firewalld, from Debian's packages as ./dev unpacked them: installed, they would start it on this host."""
    if not FIREWALLD_TREE.is_dir():
        raise LabError(f"firewalld is not unpacked in {FIREWALLD_TREE}: ./dev setup does it")
    machine.install_tree(FIREWALLD_TREE)
    machine.install_link(POLKIT_POLICY, f"{POLKIT_POLICY.removesuffix('.policy')}.server.policy.choice")
    accepts = "".join(f'  <port port="{port}" protocol="tcp"/>\n' for port in services)
    machine.install("/etc/firewalld/zones/public.xml", FIREWALLD_ZONE.format(services=accepts))
    machine.install_link(f"{UNITS}/lab.target.wants/firewalld.service", "/usr/lib/systemd/system/firewalld.service")
    return ["/bin/true"]


def _none(machine, services):
    return ["/bin/true"]


FIREWALLS = {"nft": _nft, "iptables": _iptables, "iptables-legacy": _iptables_legacy, "firewalld": _firewalld,
             "none": _none}
