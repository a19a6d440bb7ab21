"""A minion without a master: run inside a machine, it carries out calls of execution modules that come line by line.

    {its options} -> {"ready"}
    {"function", "args", "kwargs"} -> {"returned"} or {"error"}, a JSON document a line
"""
import json
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "_utils"))

import salt.config  # noqa: E402  our packages have to be found first
import salt.loader  # noqa: E402


def loaded(given):
    """The execution modules of this checkout, and Salt's own."""
    root = "/tmp/minion"
    places = {name: f"{root}/{name}" for name in ("cachedir", "pki_dir", "sock_dir", "extension_modules")}
    opts = {
        **salt.config.minion_config("/dev/null", cache_minion_id=False, minion_id=given["id"]), **places,
        "root_dir": root, "__role": "minion", "file_client": "local", "module_dirs": [str(CHECKOUT)], "grains": {},
        "pillar": {}, **given,
    }
    Path(root, "cachedir").mkdir(parents=True, exist_ok=True)
    return salt.loader.minion_mods(opts, utils=salt.loader.utils(opts))


def main():
    modules = loaded(json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(modules, json.loads(line))), flush=True)


def answer(modules, call):
    try:
        return {"returned": modules[call["function"]](*call["args"], **call["kwargs"])}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
