"""What fits into one answer: Salt's bus gets at most 64 KiB, however long names of files and words of errors are."""

import json

SENTENCE = 2000
DETAILS = 2048


def size(value):
    """How much a value takes as JSON."""
    return len(json.dumps(value, default=str))


def fitting(items, budget):
    """As many of the items, from the first one on, as fit into `budget` characters."""
    told, left = [], budget
    for item in items:
        left -= size(item) + 2
        if left < 0:
            break
        told.append(item)
    return told


def short(text, limit=SENTENCE):
    """The text, or its beginning and how much is missing."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text) - limit} characters more)"


def error(told):
    """An error as a dict, with a sentence of a bounded length and details only if they are few."""
    evidence = told["evidence"] if size(told["evidence"]) <= DETAILS else {}
    return {**told, "text": short(told["text"]), "evidence": evidence}
