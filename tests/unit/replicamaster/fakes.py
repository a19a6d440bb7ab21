"""Hosts that answer from a table and remember what they were asked."""

import saltface
from replicamaster import asking
from replicamaster.asking import HostSaid, HostSilent
from replicaplan.target import against_replacing
from tests.unit.replicaplan.facts import BACKUP, replica, server
from transferplan import errors

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


def _own_words(host, error):
    """What a host itself said, to which its name is added once it was heard."""
    return error.text.removeprefix(f"{host}: ")


class Hosts(asking.Hosts):
    """db1 is a primary, all others its replicas; `fails` names (host, function) that answer with an error. A step of a
    pause that fails takes the pause back, as on a real host. All but the bus is what a master uses.
    """

    def __init__(self, *replicas, fails=(), infos=None, **answers):
        super().__init__({})
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

    def _answers(self, asked, _timeout):
        return {
            (function, host): self._heard(host, function, own)
            for function, arguments in asked.items()
            for host, own in arguments.items()
        }

    def _heard(self, host, function, arguments):
        """What the bus brings of a host: its answer, its error or nothing."""
        try:
            return saltface.Answer(host, self.answer(host, function, **arguments))
        except HostSilent as error:
            return saltface.Answer(host, trouble=errors.MinionSilent(_own_words(host, error)))
        except HostSaid as error:
            return saltface.Answer(host, {"error": {**error.told, "text": _own_words(host, error)}})

    def answer(self, host, function, **arguments):
        """What a host answers; what it says or keeps silent of is raised."""
        self.asked.append((host, function))
        self._mind_pause(host, function)
        if (host, function) in self.fails:
            raise said(host, f"{function} failed")
        if function == "info":
            return self.infos[host]
        if function == "fitness":
            against = against_replacing(self.infos[host], host, host)
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

    def steps(self, host):
        """What a host was asked, without what changes nothing."""
        harmless = {"info", "fitness", "login", "sample", "wait", "page", "renew", "count", "log", "last"}
        return [function for each, function in self.asked if each == host and function not in harmless]
