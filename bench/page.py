"""The page docs/benchmarks.md, made of a record and of nothing else. Pure."""

from .figures import GIB, ROLES
from .machine import BUSY
from .peers import PEERS
from .tables import cells, grouped, in_markdown, notes, score

INTRODUCTION = """\
# Benchmarks

Written by `./dev bench --write-docs` from [benchmarks.json](benchmarks.json); not by hand. {score}{full_score}

![How many times faster salt-transfer is than each peer](benchmarks.svg)

## How it was measured

Two network namespaces of one machine, joined by a pair of virtual interfaces (or, where a rate stands beside the data,
by a shaped link or by a relay that delays). Each row alternates two sides: one round to warm up, then as many as
stand in its line: {runs} where there is a goal and there was time, else fewer. The medians are shown. `~` marks a side
whose fastest run was over 1.5 times its slowest, `!` a row before or after which others kept over {busy_limit} of a
processor at work. After each run, outside of the clock, every byte that arrived is compared with the source.

- **Ours** is the engine: its two workers, from the moment at which the source is told to go, as in a real transfer
  both being there already, to the destination having everything flushed, verified against the source's seal and ready
  to be published by one rename. What Salt adds to that for a whole command is in a group of its own, if it was run.
- **A peer** is the command lines below, from the start of the sending one to the end of both. What serves (sshd, the
  daemon of rsync) is there already. *Same effort* is a digest of the stream on both ends, and the data flushed; the
  rows without those words show the tool as people type it, which proves nothing. No peer reads back what is on the
  disk; ours does, unless it says `flight`. The plain rows compare with ours unencrypted.
- **transferpy** is reconstructed from its release 1.2 with its own paths, cipher, buffer and iterations. What drives
  its two hosts and its 3 s of sleep are left out of the clock, to its advantage but for one thing: its digests of the
  source begin before that sleep, and here with the rest.
- **rsync** is flushed once for all, like everybody else; its own `--fsync` is asked for by few, and flushes each file.
- **CPU s/GiB** is processor time of both ends together, user and system, with all processes that came of the command;
  ours without its start. It carries over to other machines better than MB/s.
- **Peak MiB** is the sum over the processes of an end, of the largest resident set of each; source + destination.
- **Ratio** is how many times faster ours is, by the medians. Goals stand as *goal / stretch*; they bind nothing, a
  goal that is not met is shown like any other figure.{smaller}
- Both ends share the processor here: what costs processor time on two hosts at once costs twice on one. Data come from
  memory, and go into a file system made freshly for each run: tmpfs, or for the many small files ext4 in an image in
  memory. Disks and real networks are slower, and bring all sides closer together.

## On what

{machine}
{busy}
"""
BUSY_WORDS = """
**This machine had other work when some of this was measured: take the figures for noise, and measure again.**
"""
MEANT = 4 * GIB
SMALLER = " They are meant for\n  files of {meant:g} GiB; here most are of {size:.3g} GiB."
STAGES = """\
## Where our time goes

Seconds by stage, added up over the threads of each end, in the last run of each row; the longest three. Waiting for
other threads is left out. A stage can be longer than the run, where several threads are in it.

| row | on the wire | source | destination |
|---|--:|---|---|
"""
FULL_SCORE = " With [files of 4 GiB](benchmarks-4GiB.json), for which those of fast peers are meant: {score}"
FULL = """\
## Files of 4 GiB

The rows of one file whose goals are meant for it, in a record of their own (sources {code}, {date}; before each row
others kept at most {load} of the cores at work).

{tables}
"""
LONGEST = 3
LINES = """\
## The command lines

As `bash -o pipefail` is given them. `{source}` is what is moved, `{parent}` and `{name}` its directory and name;
`{place}` is the destination's empty directory, `{target}` what appears in it, `{things}` where keys and configuration
lie.

"""


def page(document, full=None):
    """The text of the page. `full` is the record of files of the size that goals are meant for, if there is one."""
    about = document["about"]
    busy = BUSY_WORDS if worst_load(document) > BUSY else ""
    words = {"score": score(document), "runs": about["runs"], "machine": machine(document), "busy": busy}
    words["full_score"] = FULL_SCORE.format(score=score(full)) if full else ""
    top = INTRODUCTION.format(busy_limit=BUSY, smaller=smaller(about["scale"]), **words)
    parts = [at_full_size(full)] if full else []
    parts += [section(group, results) for group, results in grouped(document)]
    parts += [STAGES + "\n".join(stages(document)) + "\n", LINES + "\n".join(command_lines(document))]
    return "\n".join([top, *parts]) + "\n"


def at_full_size(full):
    """The rows of the record of large files, its groups below one heading."""
    tables = "\n".join("#" + section(group, results) for group, results in grouped(full))
    about = full["about"]
    return FULL.format(code=about["code"], date=about["date"], load=worst_load(full), tables=tables)


def smaller(scale):
    """A sentence where the files are smaller than the goals are meant for."""
    size = scale.get("big", MEANT)
    return SMALLER.format(size=size / GIB, meant=MEANT / GIB) if size < MEANT else ""


def worst_load(document):
    """How many processors others kept at work before any of the rows, at most."""
    rows = (result.get("load", 0.0) for result in document["rows"].values())
    return max((document["about"]["load"], *rows))


def machine(document):
    """What it ran on, as a list."""
    about = document["about"]
    host = about["machine"]
    versions = {**about["packages"], **about["libraries"]}
    return "\n".join(
        [
            f"- {host['processor']}, {host['cores']} cores, {host['memory_gib']} GiB; before each row others kept at "
            f"most {worst_load(document)} of the cores at work",
            f"- {host['system']}, Linux {host['kernel']}, Python {about['python']}",
            f"- {', '.join(f'{name} {version}' for name, version in versions.items())}",
            f"- received in {about['destination']}",
            f"- salt-transfer {about['version']} (sources {about['code']}), {about['date']}",
        ]
    )


def section(group, results):
    rows = [cells(result) for _, result in results if "ratio" in result]
    table = in_markdown(rows) + "\n" if rows else ""
    told = "\n".join(f"- {note}" for note in [*efforts(results), *notes(results)])
    return f"## {group[:1].upper()}{group[1:]}\n\n{table}\n{told}\n"


def efforts(results):
    """What each side of a group does beside moving."""
    sides = [result[side] for _, result in results if "ratio" in result for side in ("ours", "theirs")]
    return [f"{name}: {effort}." for name, effort in dict.fromkeys((side["name"], side["effort"]) for side in sides)]


def stages(document):
    """A line for each row: what travelled for its bytes, and the longest stages of both ends."""
    for key, result in document["rows"].items():
        if "stages" in result.get("ours", {}):
            ends = (longest(result["ours"]["stages"][role]) for role in ROLES)
            share = result["ours"]["wire_bytes"] / result["bytes"]
            yield f"| {key} | {share:.0%} | {' | '.join(ends)} |"


def longest(times):
    known = sorted(((seconds, name) for name, seconds in times.items() if name != "wait"), reverse=True)
    return ", ".join(f"{name.replace('_', ' ')} {seconds:.2f}" for seconds, name in known[:LONGEST])


def command_lines(document):
    """The lines of every peer that was measured."""
    measured = {result["theirs"]["name"] for result in document["rows"].values() if "ratio" in result}
    for name, peer in PEERS.items():
        if name in measured:
            lines = [f"destination$ {peer.get}"] * bool(peer.get) + [f"source$ {peer.put}"]
            yield f"**{name}**\n\n```text\n" + "\n".join(lines).replace("{{", "{").replace("}}", "}") + "\n```\n"
