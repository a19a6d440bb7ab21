"""Runs on a hostile minion: fires onto the master's bus whatever events it is told, one JSON line each on stdin.

A line is {"tag": ..., "data": ...}. With "payload" and "question" in it, `data["return"]` becomes a statement over them
that this minion signs with its own key, in whosever name the question is.
"""

import json
import sys

import salt.channel.client
import salt.config
import salt.crypt

import saltface
from transferplan import statement


def main():
    opts = salt.config.minion_config("/etc/salt/minion")
    opts["master_uri"] = f"tcp://{opts['master']}:{opts['master_port']}"
    auth = salt.crypt.SAuth(opts)
    with salt.channel.client.ReqChannel.factory(opts) as channel:
        print("ready", flush=True)
        for line in sys.stdin:
            fire(opts, auth, channel, json.loads(line))
            print("fired", flush=True)


def fire(opts, auth, channel, told):
    data = told["data"]
    if "question" in told:
        stated = statement.Question(**told["question"]).state(told["payload"])
        data["return"] = {"statement": stated, "signature": saltface.sign(opts, statement.canonical(stated))}
    # A list of events is fired as it is, and with `pretag` under tags that minions are otherwise not allowed to use.
    pretag, _, tag = told["tag"].partition("/")
    load = {"cmd": "_minion_event", "id": opts["id"], "pretag": pretag, "events": [{"tag": tag, "data": data}]}
    channel.send({**load, "tok": auth.gen_token(b"salt")}, timeout=10)


main()
