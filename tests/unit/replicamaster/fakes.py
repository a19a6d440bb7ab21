"""Hosts that answer from a table and remember what they were asked."""

from replicamaster.asking import HostSaid
from replicaplan import replacing
from tests.unit.replicaplan.facts import BACKUP, replica, server

COUNT = {
    "mark": {"file": "b.1", "position": 9, "gtid": "0-1-7"}, "root": "aa", "tables": 1, "rows": 3, "objects": 2,
    "unproved": [], "unproved_in_all": 0, "pages": 1, "seconds": 0.1,
}
PROVED = {
    "sample": {"gtid": "0-1-7", "state": "0-1-7", "server_id": 1}, "wait": {}, "pause": {}, "advance": {}, "go_on": {},
    "count": COUNT, "page": [["row", "x", "t", 3, "aa"]], "renew": {},
}


def said(host, text):
    """What a host's error becomes."""
    return HostSaid(host, {"text": text, "code": 1, "name": "x", "evidence": {}})


class Hosts:
    """db1 is a primary, all others its replicas; `fails` names (host, function) that answer with an error. A step of a
    pause that fails takes the pause back, as on a real host.
    """

    def __init__(self, *replicas, fails=(), infos=None, **answers):
        self.infos = {"db1": server(1), **{name: replica(n + 2) for n, name in enumerate(replicas)}, **(infos or {})}
        self.fails = set(fails)
        self.answers = {
            **PROVED, "login": {"trouble": ""}, "prepare": BACKUP, "log": {"files": ["b.1"], "begins": ""},
            "install": {}, "start_isolated": {}, "point": {},
            "start_replication": {}, "proved": {}, "settle": {"kept": "/srv/mysql.before-1", "datadir": "/srv/mysql"},
            "roll_back": {}, "discard": {"removed": True}, "drop_old": {"removed": "x"}, "last": {}, **answers,
        }
        self.asked = []
        self.paused = set()

    def ask(self, host, function, timeout=0, /, **arguments):
        self.asked.append((host, function))
        self._mind_pause(host, function)
        if (host, function) in self.fails:
            raise said(host, f"{function} failed")
        if function == "info":
            return self.infos[host]
        if function == "fitness":
            against = replacing.against(self.infos[host], host, host)
            return {"reasons": against, "info": self.infos[host], "replication_user": "repl", "free": 10**9,
                    "incoming_exists": False}
        answer = self.answers[function]
        return answer(host) if callable(answer) else answer

    def _mind_pause(self, host, function):
        if function == "go_on" and host not in self.paused:
            raise said(host, "This host has no pause of a database under way.")
        if function == "pause":
            self.paused.add(host)
        if function == "go_on" or ((host, function) in self.fails and function in ("advance", "count")):
            self.paused.discard(host)

    def ask_all(self, hosts, function, timeout=0, /, **arguments):
        told, failed = self.tell_each(dict.fromkeys(hosts, arguments), function, timeout)
        return told, {host: error.text for host, error in failed.items()}

    def ask_each(self, arguments, function, timeout=0):
        return {host: self.ask(host, function, timeout, **own) for host, own in arguments.items()}

    def tell_each(self, arguments, function, timeout=0):
        told, failed = self.tell_at_once({function: arguments}, timeout)
        return told[function], failed[function]

    def tell_at_once(self, asked, timeout=0):
        told, failed = {function: {} for function in asked}, {function: {} for function in asked}
        for function, arguments in asked.items():
            for host, own in arguments.items():
                try:
                    told[function][host] = self.ask(host, function, timeout, **own)
                except HostSaid as error:
                    failed[function][host] = error
        return told, failed

    def steps(self, host):
        """What a host was asked, without what changes nothing."""
        harmless = {"info", "fitness", "login", "sample", "wait", "page", "renew", "count", "log", "last"}
        return [function for each, function in self.asked if each == host and function not in harmless]
