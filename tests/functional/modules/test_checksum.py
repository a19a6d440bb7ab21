"""checksum through Salt's loader: what it writes is checked by coreutils, what it checks was written by coreutils."""

import hashlib
import os
import subprocess

import pytest
from salt.exceptions import CommandExecutionError

from datamover.disk.journal import Journal
from datamover.disk.safepath import encode_path
from datamover.disk.tree import SourceTree
from datamover.host.rundir import RunDirs

TRANSFER = "0123456789abcdef0123456789abcdef"
NAMES = [b"plain", b"with space", b"new\nline", b"back\\slash", b"\xff\xfe", b"-", b"sub/below"]


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for name in NAMES:
        with open(os.fsencode(root) + b"/" + name, "wb") as file:
            file.write(name * 1000)
    return root


def sha256sum(tree, sums):
    """How many files coreutils found to be true; raises if any is not."""
    done = subprocess.run(["sha256sum", "--check", "--strict", str(sums)], cwd=tree, check=True, capture_output=True)
    return done.stdout.count(b": OK\n")


def test_the_digest_of_a_file_is_the_usual_one(modules, tree):
    assert modules["checksum.digest"](str(tree / "plain")) == hashlib.sha256(b"plain" * 1000).hexdigest()


def test_the_digest_of_a_tree_depends_on_names_and_bytes_only(modules, tree, tmp_path):
    digest = modules["checksum.digest"]
    before = digest(str(tree))
    subprocess.run(["cp", "-r", str(tree), str(tmp_path / "copy")], check=True)
    assert digest(str(tmp_path / "copy")) == before
    (tree / "plain").write_bytes(b"other")
    assert digest(str(tree)) != before


def test_a_manifest_is_true_for_coreutils(modules, tree, tmp_path):
    out = tmp_path / "sums"
    assert modules["checksum.manifest"](str(tree), str(out)) == {
        "path": str(out),
        "files": len(NAMES),
        "algorithm": "sha256",
    }
    assert sha256sum(tree, out) == len(NAMES)


def test_a_manifest_of_coreutils_is_verified(modules, tree, tmp_path):
    out = tmp_path / "sums"
    with open(out, "wb") as file:
        subprocess.run(["find", ".", "-type", "f", "-exec", "sha256sum", "{}", "+"], cwd=tree, stdout=file, check=True)
    told = modules["checksum.verify"](str(out), str(tree))
    assert (told["verified"], told["troubles"], told["more"]) == (True, [], 0)
    (tree / "plain").write_bytes(b"changed")
    (tree / "with space").unlink()
    found = modules["checksum.verify"](str(out), str(tree))
    assert not found["verified"]
    assert {(each["path"], each["what"]) for each in found["troubles"]} == {
        ("./plain", "content"),
        ("./with space", "missing"),
    }


def test_many_troubles_are_counted_and_not_all_told(modules, tmp_path):
    (tmp_path / "sums").write_text("".join(f"{'0' * 64}  missing{number}\n" for number in range(250)))
    found = modules["checksum.verify"](str(tmp_path / "sums"), str(tmp_path))
    assert (len(found["troubles"]), found["more"]) == (200, 50)


def test_trees_are_compared(modules, tree, tmp_path):
    subprocess.run(["cp", "-a", str(tree), str(tmp_path / "copy")], check=True)
    compare = modules["checksum.compare"]
    assert compare(str(tree), str(tmp_path / "copy")) == {"equal": True, "differences": [], "more": 0}
    (tmp_path / "copy" / "plain").chmod(0o600)
    found = compare(str(tree), str(tmp_path / "copy"), algorithm="sha256")
    assert [(each["path"], each["what"]) for each in found["differences"]] == [("plain", "mode")]


def test_nothing_is_replaced_unless_asked(modules, tree, tmp_path):
    out = tmp_path / "sums"
    out.write_text("mine")
    with pytest.raises(CommandExecutionError, match="is there already.*overwrite=True"):
        modules["checksum.manifest"](str(tree), str(out))
    assert out.read_text() == "mine"
    modules["checksum.manifest"](str(tree), str(out), overwrite=True)
    assert sha256sum(tree, out) == len(NAMES)


def test_a_link_in_the_place_of_the_file_is_not_followed(modules, tree, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "sums").symlink_to(victim)
    with pytest.raises(CommandExecutionError, match="is there already"):
        modules["checksum.manifest"](str(tree), str(tmp_path / "sums"))
    modules["checksum.manifest"](str(tree), str(tmp_path / "sums"), overwrite=True)
    assert victim.read_text() == "precious"


def test_a_failure_leaves_no_file(modules, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(CommandExecutionError, match="missing"):
        modules["checksum.manifest"](str(tmp_path / "missing"), str(tmp_path / "out" / "sums"))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("function", "words"),
    [("digest", ["x"]), ("manifest", ["/x", "out"]), ("verify", ["/x", "y"]), ("compare", ["/", "x"])],
)
def test_a_relative_path_is_refused(modules, function, words):
    with pytest.raises(CommandExecutionError, match="is no absolute path"):
        modules[f"checksum.{function}"](*words)


def test_an_unknown_algorithm_is_refused_with_those_there_are(modules, tree):
    with pytest.raises(CommandExecutionError, match=r"no 'md5'; it has .*sha256"):
        modules["checksum.digest"](str(tree), algorithm="md5")


@pytest.fixture
def context():
    return {}


@pytest.fixture
def record(minion_opts, tmp_path, context):
    """Make the records of a transfer of `path`, as a source leaves them; returns the modules of its minion."""
    import salt.loader

    state = tmp_path / "state"

    def make(path, kind):
        spec = {"transfer": TRANSFER, "attempt": 1, "role": "source", "path": encode_path(os.fsencode(path))}
        settings = {"digest": "sha256", "block_size": 1 << 22, "owners": "names"}
        spec |= {"source_kind": kind, "host": "minion", "settings": settings}
        run = RunDirs(state).establish(spec)
        journal = Journal(run.path / "entries.db")
        source = SourceTree(os.fsencode(path), journal)
        for entry in source.walk():
            if entry.kind == 1:
                with source.open(entry) as file:
                    content = file.digest(hashlib.sha256, 1 << 22)
                journal.put_content(entry.number, journal.known(entry.number).try_, content)
        source.close()
        root = journal.root(1 << 22, "sha256").hex()
        journal.close()
        run.write("verdict", {"result": "published", "algorithm": "sha256", "root": root})
        opts = {**minion_opts, "transfer": {"state_dir": str(state)}, "grains": {}, "pillar": {}}
        return salt.loader.minion_mods(opts, context=context)

    return make


def test_a_transfer_is_verified_from_its_record_with_a_true_exit_status(record, tree, context):
    verify = record(tree, "directory")["checksum.verify"]
    told = verify(TRANSFER)
    assert (told["verified"], told["entries"], context["retcode"]) == (True, len(NAMES) + 2, 0)
    (tree / "plain").chmod(0o600)
    told = verify(TRANSFER)
    assert (told["verified"], told["counts"]["metadata"], context["retcode"]) == (False, 1, 1)
    assert told["troubles"][0]["path"] == "plain"


def test_a_checksum_file_is_verified_with_a_true_exit_status(record, tree, tmp_path, context):
    loaded = record(tree, "directory")
    loaded["checksum.receipt"](TRANSFER, str(tmp_path / "receipt"))
    assert loaded["checksum.verify"](str(tmp_path / "receipt"), str(tree), extra=True)["verified"]
    assert context["retcode"] == 0
    (tree / "new").write_bytes(b"")
    told = loaded["checksum.verify"](str(tmp_path / "receipt"), str(tree), extra=True)
    assert (told["counts"]["extra"], context["retcode"]) == (1, 1)


def test_the_receipt_of_a_tree_is_true_for_coreutils(record, tree, tmp_path):
    found = record(tree, "directory")["checksum.receipt"](TRANSFER, str(tmp_path / "receipt"))
    assert (found["files"], found["algorithm"], found["root"]) == (len(NAMES), "sha256", str(tree))
    assert sha256sum(tree, tmp_path / "receipt") == len(NAMES)


def test_the_receipt_of_a_file_names_it(record, tree, tmp_path):
    found = record(tree / "plain", "file")["checksum.receipt"](TRANSFER, str(tmp_path / "receipt"))
    assert (found["files"], found["root"]) == (1, str(tree))
    assert sha256sum(tree, tmp_path / "receipt") == 1


def test_the_receipt_of_an_unknown_transfer_is_refused(modules, tmp_path):
    with pytest.raises(CommandExecutionError, match="knows no transfer f"):
        modules["checksum.receipt"]("f" * 32, str(tmp_path / "receipt"))
    assert list(tmp_path.iterdir()) == []
