# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln build: disks that a reader without libext2fs and qemu-img find right, scripts that shells take
word by word, what changes and what stays; faults at any moment; and kmln list and remove."""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import time

import pytest

import ext4reader
import faults
import guests
import images
import runner

TWO = """global { project p }
switch lan { net 10.1.0.0/24 }
host a { network eth0 { switch lan } }
host b { boot_order 7
 network eth0 { switch lan } }
"""


def cat(image, path):
    return images.tool("debugfs", "e2fsprogs", "-R", f"cat {path}", image).decode()


def tree(folder):
    """All names below it."""
    return sorted(os.fspath(path.relative_to(folder)) for path in folder.rglob("*"))


def contents(folder):
    return {path: (folder / path).read_bytes() for path in tree(folder) if (folder / path).is_file()}


def test_what_is_made(home):
    home.build(TWO)
    project = home.project()
    assert tree(project) == sorted([
        "hosts", "hosts/a", "hosts/a/built.json", "hosts/a/disk.qcow2", "hosts/a/transfer", "hosts/b",
        "hosts/b/built.json", "hosts/b/disk.qcow2", "hosts/b/transfer", "lock", "logs", "project",
        "project.json", "project/p.kmln", "resolved.xml", "start_07_b.sh", "start_99_a.sh",
        "start_switch-lan.sh", "stop_07_b.sh", "stop_99_a.sh", "stop_switch-lan.sh"])
    # no other user sees any of it
    for path in [project, *project.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
        assert bool(path.stat().st_mode & 0o100) == (path.is_dir() or path.suffix == ".sh"), path
    assert (project / "project/p.kmln").read_bytes() == (home.folder / "p.kmln").read_bytes()
    xmllint = runner.need_program("xmllint", "libxml2-utils")
    runner.run([xmllint, "--noout", "--dtdvalid", runner.ROOT / "dtd/kmln-project.dtd",
                project / "resolved.xml"], expect=0)
    built = json.loads((project / "hosts/a/built.json").read_text())
    assert built["platform"] == "uml" and built["wish"] == "auto" and built["name"] == "default"
    # disks: of the guest's image nothing is changed but what the settings are
    for host in "ab":
        raw = home.raw(host)
        images.clean(raw)
        assert cat(raw, "/etc/hostname").strip() == host
        change = ext4reader.changed(ext4reader.read(built["prepared"]), ext4reader.read(raw))
        assert change.removed == set()
        assert {b"/etc/hosts", b"/etc/hostname", b"/etc/machine-id"} <= change.added | set(change.changed)
        assert all(path.startswith(b"/etc") for path in change.added | set(change.changed))
        assert home.disk(host).stat().st_blocks * 512 < 2 << 20
    # the agent is in the copy that all share
    assert ext4reader.read(built["prepared"])[b"/usr/lib/kmln/kmln-agent"].mode == 0o755


def test_nothing_is_made_twice(home):
    home.build(TWO)
    before = contents(home.project())
    times = {path: (home.project() / path).stat().st_mtime_ns for path in before}
    assert home.kmln("build", "-n", home.folder / "p.kmln", expect=0).out == ""
    home.build(TWO)
    assert contents(home.project()) == before
    assert {path: (home.project() / path).stat().st_mtime_ns for path in before} == times
    # by its name too, without its file
    (home.folder / "p.kmln").unlink()
    home.kmln("build", "-p", "p", expect=0)
    assert contents(home.project()) == before
    assert "no project other" in home.kmln("build", "-p", "other", expect=2).err


@pytest.mark.parametrize("size", ["100M", "1500M"])
def test_size_and_swap(home, size):
    home.build(f"global {{ project p }}\nhost a {{ size {size}; swap 32M }}\n")
    raw = home.raw()
    images.clean(raw)
    assert raw.stat().st_size == int(size[:-1]) << 20
    assert ext4reader.read(raw)
    swap = home.project() / "hosts/a/swap"
    assert swap.stat().st_size == 32 << 20 and swap.stat().st_blocks < 16
    uuid = runner.run([runner.need_program("blkid", "util-linux"), "-p", "-o", "value", "-s", "UUID", swap],
                      expect=0).out.strip()
    assert f"UUID={uuid} none swap" in cat(raw, "/etc/fstab")


def test_changed_settings(home):
    """A disk that is there gets other settings, and keeps what its guest has on it."""
    text = "global {{ project p }}\nhost a {{ {} }}\nhost b {{ }}\n"
    home.build(text.format("startup { one }"))
    put_into(home.disk(), "/root/precious", b"data of the guest's\n")
    b = contents(home.project() / "hosts/b")
    assert home.changes(text.format("startup { two }")) == {"a": "settings"}
    home.build(text.format("startup { two }"))
    raw = home.raw()
    images.clean(raw)
    assert "two" in cat(raw, "/etc/kmln/startup.sh") and "one" not in cat(raw, "/etc/kmln/startup.sh")
    assert cat(raw, "/root/precious") == "data of the guest's\n"
    assert contents(home.project() / "hosts/b") == b
    assert home.changes(text.format("startup { two }")) == {}
    # larger; and a swap besides
    assert home.changes(text.format("startup { two }; size 200M; swap 16M")) == {"a": "settings"}
    home.build(text.format("startup { two }; size 200M; swap 16M"))
    raw = home.raw()
    images.clean(raw)
    assert cat(raw, "/root/precious") == "data of the guest's\n"
    assert raw.stat().st_size == 200 << 20
    # smaller is no wish that could be met: it stays
    assert home.changes(text.format("startup { two }; size 100M; swap 16M")) == {}


def put_into(disk, path, data):
    """As a guest would have written it: through QEMU's own reader of the format."""
    raw = disk.with_suffix(".tmp.raw")
    qemu_img = runner.need_program("qemu-img", "qemu-utils")
    runner.run([qemu_img, "convert", "-O", "raw", disk, raw], expect=0)
    images.put(raw, path, data)
    backing = json.loads(runner.run([qemu_img, "info", "--output=json", disk], expect=0).out)
    runner.run([qemu_img, "convert", "-O", "qcow2", "-B", backing["backing-filename"], "-F", "raw", raw, disk],
               expect=0)
    raw.unlink()


def test_other_start(home):
    home.build(TWO)
    disks = {host: home.disk(host).read_bytes() for host in "ab"}
    b = disks["b"]
    out = home.kmln("build", "-n", home.write(TWO.replace("host a {", "host a { memory 256M;")), expect=0).out
    assert out == "start     host a: mem=128M -> mem=256M\n"
    home.build(TWO.replace("host a {", "host a { memory 256M;"))
    assert "mem=256M" in (home.project() / "start_99_a.sh").read_text()
    # another number: the old script goes
    home.build(TWO.replace("boot_order 7", "boot_order 12"))
    assert not (home.project() / "start_07_b.sh").exists() and (home.project() / "start_12_b.sh").exists()
    # a host that is gone keeps its disk, and is no longer started
    gone = "\n".join(TWO.splitlines()[:3])
    assert home.changes(gone)["b"] == "gone"
    home.build(gone)
    assert not list(home.project().glob("st*_b.sh"))
    assert home.disk("b").read_bytes() == b
    # and is the same again when it comes back
    home.build(TWO)
    assert home.disk("b").read_bytes() == b and (home.project() / "start_07_b.sh").exists()


def test_platform_is_decided_once(home):
    home.build("global { project p }\nhost a { }\n")
    script = home.project() / "start_99_a.sh"
    assert "linux.uml" in script.read_text()
    # a later wish of the command's is none of the file's
    home.kmln("build", home.folder / "p.kmln", "--platform", "qemu", expect=0)
    assert "linux.uml" in script.read_text()
    home.kmln("build", home.folder / "p.kmln", "--platform", "qemu", "--replatform", expect=0)
    assert "qemu-system-x86_64" in script.read_text()
    home.kmln("build", home.folder / "p.kmln", expect=0)
    assert "qemu-system-x86_64" in script.read_text()
    # the file's own wish is stronger, and one that is there already changes nothing
    assert home.changes("global { project p }\nhost a { platform qemu }\n") == {}
    assert home.changes("global { project p }\nhost a { platform uml }\n") == {"a": "start"}


def own_image(home):
    """An image that may change; of this test's own cache."""
    for name in ("cache/prepared", "data/images"):
        old = os.readlink(home.path / name)
        (home.path / name).unlink()
        (home.path / name).mkdir()
        if name == "data/images":
            guests.copy(f"{old}/default.img", home.path / name / "default.img")
    return home.path / "data/images/default.img"


def test_image_changes_and_vanishes(home):
    text = "global { project p }\nhost a { }\n"
    image = own_image(home)
    home.build(text)
    before = home.disk().read_bytes()
    os.utime(image, ns=(1, 1))
    run = home.kmln("build", home.folder / "p.kmln", expect=0)
    assert "has changed since" in run.err and home.disk().read_bytes() == before
    # a new host stands on the image as it is now
    home.build(text + "host b { }\n")
    assert len({json.loads((home.project() / f"hosts/{h}/built.json").read_text())["prepared"] for h in "ab"}) == 2
    image.unlink()
    for options in (["-p", "p"], [home.folder / "p.kmln"]):
        home.kmln("build", *options, expect=0)
    images.clean(home.raw())
    assert "no image" in home.build(text + "host b { }\nhost c { image other }\n", expect=3).err
    # another image
    guests.copy(runner.Path(home.raw()), home.path / "data/images/other.img")
    text = text.replace("{ }", "{ image other }")
    run = home.build(text, expect=1)
    assert "--replace" in run.err and home.disk().read_bytes() == before
    assert "no terminal" in home.build(text, "--replace", expect=2).err
    assert home.disk().read_bytes() == before
    known = home.project() / "known_hosts"
    known.write_text("a.p ssh-ed25519 old\nab.p ssh-ed25519 kept\nb.p ssh-ed25519 kept")
    home.build(text, "--replace", "--yes")
    assert known.read_text() == "ab.p ssh-ed25519 kept\nb.p ssh-ed25519 kept"
    assert json.loads((home.project() / "hosts/a/built.json").read_text())["name"] == "other"
    images.clean(home.raw())


def test_includes(home):
    (home.folder / "more").mkdir()
    (home.folder / "more/hosts.kmln").write_text("host a { image ./own.img }\n")
    guests.copy(runner.Path(os.path.realpath(home.path / "data/images/default.img")), home.folder / "own.img")
    home.build("global { project p }\n#include more/hosts.kmln\n")
    assert (home.project() / "project/more/hosts.kmln").read_text() == "host a { image ./own.img }\n"
    home.kmln("build", "-p", "p", expect=0, cwd="/")
    # one from outside: the project is read as it was resolved
    (home.folder / "in").mkdir()
    text = "global { project q }\n#include ../more/hosts.kmln\n"
    path = home.write(text, "in/q.kmln")
    shutil.copy(home.folder / "own.img", home.folder / "in/own.img")
    home.kmln("build", path, "--allow-include", expect=0)
    assert json.loads((home.project("q") / "project.json").read_text())["file"] == "resolved.xml"
    before = contents(home.project("q"))
    run = home.kmln("build", "-p", "q", expect=0)
    assert contents(home.project("q")) == before, run
    # standard input has no name
    home.kmln("build", "-f", "-", stdin="global { project r }\nhost a { platform uml }\n", expect=0)
    home.kmln("build", "-p", "r", expect=0, cwd="/")


def words_of(script, folder):
    """What a shell makes of a script: the vector of the program that it executes."""
    stand_in = folder / "words.py"
    stand_in.write_text(f"#!{sys.executable}\nimport json, sys\njson.dump(sys.argv[1:], sys.stdout)\n")
    stand_in.chmod(0o755)
    program = os.fspath(runner.BUILD / "kmln-node")
    text = script.read_text()
    assert text.count(f"exec {program} ") == 1
    other = folder / "other.sh"
    other.write_text(text.replace(f"exec {program} ", f"exec {stand_in} "))
    found = {}
    for shell in ("dash", "bash"):
        run = runner.run([shell, other], expect=0, cwd="/")
        found[shell] = json.loads(run.out)
    assert found["dash"] == found["bash"]
    return found["dash"]


def parts(words):
    """{option: value or vector}"""
    found, i = {}, 0
    while i < len(words):
        if words[i] in ("--serve", "--spawn"):
            count = int(words[i + 1])
            found[words[i]] = words[i + 2:i + 2 + count]
            i += 2 + count
        elif words[i] == "--unconfined":
            found[words[i]] = True
            i += 1
        else:
            found[words[i]] = words[i + 1]
            i += 2
    return found


def test_scripts(home):
    """All of it goes through shells as it is, from any folder, with a runtime folder that is not there."""
    home.build(TWO.replace("host a {", "host a { ready console \"it's \\$HOME `here` * ;done\"\n"))
    runtime = home.path / "run/p"
    assert not runtime.exists()
    for script, node in (("start_99_a", "host-a"), ("start_07_b", "host-b"), ("start_switch-lan", "switch-lan")):
        found = parts(words_of(home.project() / f"{script}.sh", home.folder))
        assert found["--name"] == node
        assert found["--run"] == f"{runtime}/nodes/{node}"
        assert found["--log"] == f"{home.project()}/logs/{node}.log"
        assert os.path.isdir(found["--run"])
        assert found["--spawn"][0].startswith("PATH=")
    host = parts(words_of(home.project() / "start_99_a.sh", home.folder))
    assert host["--channel"] == "serial" and host["--type-ahead"] == "1024"
    assert host["--transfer"] == f"{home.project()}/hosts/a/transfer"
    assert host["--serve"][-1] == "chardev=m" and any(w.endswith("linux.uml") for w in host["--spawn"])
    assert host["--ready"] == "console it's $HOME `here` * ;done"
    assert (runtime / "net-lan").is_dir() and (runtime / "disk-a").is_dir()
    lan = parts(words_of(home.project() / "start_switch-lan.sh", home.folder))
    assert lan["--ready"] == f"socket {runtime}/net-lan/sw/ctl"


@pytest.mark.parametrize("name", ["a b", "it's", "$(touch gone)", "`x`;&|", "new\nline", "\\", "ä", "*?[", "-n"])
def test_odd_folders(home, name):
    """No name of a folder is anything but a part of a word."""
    odd = home.folder / name
    odd.mkdir()
    (home.path / "data/projects").mkdir()
    home.path.rename(odd / "own")
    env = {"KMLN_HOME": odd / "own"}
    home.kmln("build", home.write("global { project p }\nswitch lan { net 10.0.0.0/24 }\nhost a { platform uml\n"
                                  " network eth0 { switch lan } }\n"), env=env, expect=0, timeout=120)
    project = odd / "own/data/projects/p"
    before = tree(home.folder)
    for script in ("start_99_a.sh", "start_switch-lan.sh"):
        found = parts(words_of(project / script, home.folder))
        assert found["--log"].startswith(f"{project}/logs/")
    made = {path for path in set(tree(home.folder)) - set(before)}
    assert all(path.startswith(f"{name}/own/run") or path in ("words.py", "other.sh") for path in made), made
    found = runner.run([project / "stop_switch-lan.sh"], cwd="/", env={"KMLN_HOME": None}, expect=0)
    assert not found.out


def test_copied_folder(home):
    """Two labs of one name would share disks: the second is told where the first is."""
    text = "global { project p }\nhost a { platform uml }\n"
    first = home.write(text)
    home.kmln("build", first, expect=0)
    before = home.disk().read_bytes()
    copied = home.folder / "copied"
    copied.mkdir()
    (copied / "p.kmln").write_text(text + "host b { platform uml }\n")
    for words in (["build"], ["up"], ["up", "-n"], ["status"], ["down"], ["exec", "a", "--", "true"]):
        run = home.kmln(*words, cwd=copied, expect=125 if words[0] == "exec" else 3)
        assert f"kmln: project p was built from {first}: call this one by another name" in run.err, words
    assert home.disk().read_bytes() == before and not home.disk("b").exists()
    # also where the first is read from what was made of it
    outside = home.folder / "outside"
    outside.mkdir()
    (outside / "all.kmln").write_text("superclass s { memory 64M }\n")
    (copied / "q.kmln").write_text("global { project q }\n#include ../outside/all.kmln\nhost a { platform uml }\n")
    home.kmln("build", "--allow-include", "-f", copied / "q.kmln", expect=0)
    (home.folder / "q.kmln").write_text("global { project q }\nhost a { platform uml }\n")
    assert f"was built from {copied / 'q.kmln'}:" in home.kmln("up", "-f", home.folder / "q.kmln", expect=3).err
    (copied / "q.kmln").unlink()
    # a link leads to the very file
    (copied / "link.kmln").symlink_to(first)
    home.kmln("build", "-f", copied / "link.kmln", expect=0)
    # one that was moved is the same lab
    (copied / "link.kmln").unlink()
    first.unlink()
    home.kmln("build", cwd=copied, expect=0)
    assert home.disk().read_bytes() == before and home.disk("b").exists()


def test_secrets(home, ordinary_user):
    """What a project knows is its user's own, also while it is made."""
    home.build('global { project p }\nhost a { root_passwd "top secret" }\n')
    os.chmod(home.folder, 0o755)
    for path in ("", "project/p.kmln", "resolved.xml", "hosts/a/disk.qcow2"):
        run = runner.run(["/bin/cat", home.project() / path], user=ordinary_user)
        assert run.status != 0 and "secret" not in run.out


def test_folder_of_another(home, ordinary_user):
    if os.geteuid() != 0:
        runner.lacking("only root can give a folder away")
    home.projects.mkdir()
    home.project().mkdir()
    os.chown(home.project(), ordinary_user.uid, ordinary_user.gid)
    assert "belongs to another user" in home.build(TWO, expect=3).err
    home.project().rmdir()
    os.symlink("/tmp", home.project())
    assert "is no folder" in home.build(TWO, expect=3).err
    assert tree(home.projects) == ["p"]


@pytest.mark.parametrize("name", ["..", ".", "../x", "a/b", "-x", ".hidden", "a b", "", "x" * 64, "a\nb"])
def test_project_names(home, name):
    for command in (["build"], ["remove", "-y"]):
        run = home.kmln(*command, "-p", name, expect=2)
        assert "not the name of a project" in run.err
    assert not home.projects.exists()


# ---- list and remove ----

def test_list_and_remove(home):
    assert home.kmln("list", expect=0).out == ""
    assert json.loads(home.kmln("list", "--format", "json", expect=0).out) == {"projects": []}
    home.build(TWO)
    home.build("global { project q }\nhost a { }\n")
    listed = json.loads(home.kmln("list", "--format", "json", expect=0).out)["projects"]
    assert [(p["project"], p["hosts"], p["built"], p["running"]) for p in listed] == [("p", 2, 2, 0), ("q", 1, 1, 0)]
    assert listed[0]["from"] == f"{home.folder}/"
    (home.project() / "hosts/b/built.json").unlink()
    assert "1 not built to the end" in home.kmln("list", expect=0).out
    # what a link leads to stays
    precious = home.folder / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    os.symlink(precious, home.project() / "hosts/a/transfer/link")
    assert "no terminal" in home.kmln("remove", "-p", "p", expect=2).err
    assert home.project().exists()
    home.kmln("remove", "-p", "p", "-y", expect=0)
    assert (precious / "file").read_text() == "mine"
    assert os.listdir(home.projects) == ["q"]
    assert (home.path / "data/images/default.img").exists()
    assert "no project p" in home.kmln("remove", "-p", "p", "-y", expect=2).err


def holds(home, node, project="p"):
    """A process that keeps a node, as far as others can tell: it has the node's lock."""
    folder = home.path / f"run/{project}/nodes/{node}"
    folder.mkdir(parents=True, exist_ok=True)
    holder = subprocess.Popen([sys.executable, "-c", "import fcntl, sys\n"
                               f"f = open({os.fspath(folder / 'lock')!r}, 'w')\nfcntl.lockf(f, fcntl.LOCK_EX)\n"
                               "print('held', flush=True)\nsys.stdin.read()"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_what_runs_is_not_touched(home):
    home.build(TWO)
    before = contents(home.project())
    with holds(home, "host-a") as holder:
        try:
            assert "host-a runs" in home.build(TWO.replace("host a {", "host a { startup { x };"), expect=1).err
            assert "host-a runs" in home.kmln("remove", "-p", "p", "-y", expect=1).err
            assert contents(home.project()) == before
            assert "1 of 2" in home.kmln("list", expect=0).out
            # others may be
            home.build(TWO.replace("host b {", "host b { startup { x };"))
            assert home.disk("a").read_bytes() == before["hosts/a/disk.qcow2"]
            assert home.disk("b").read_bytes() != before["hosts/b/disk.qcow2"]
        finally:
            holder.communicate(b"")
    home.build(TWO)
    home.kmln("remove", "-p", "p", "-y", expect=0)


# ---- faults ----

def test_two_at_once(home):
    """One waits for the other; where that takes too long it is told which process it waits for."""
    path = home.write(TWO.replace("host a {", "host a { count 30;"))
    argv = [runner.BUILD / "kmln", "build", "-q", "--platform", "uml", path]
    env = {**os.environ, "KMLN_HOME": os.fspath(home.path)}
    both = [subprocess.Popen(argv, env=env, stderr=subprocess.PIPE) for _ in range(2)]
    for one in both:
        assert one.wait(120) == 0, one.stderr.read()
    assert home.kmln("build", "-n", path, expect=0).out == ""
    holder = subprocess.Popen([sys.executable, "-c", "import fcntl, sys\n"
                               f"f = open({os.fspath(home.project() / 'lock')!r}, 'r+')\n"
                               "fcntl.lockf(f, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    run = home.kmln("build", path, expect=1)
    assert f"process {holder.pid}" in run.err and 5 < run.seconds < 30
    holder.communicate(b"")


def test_killed_at_any_moment(home):
    """Whatever was there when it was killed: the next build makes it right, and nothing is left over."""
    text = TWO.replace("host a {", "host a { size 80M; swap 1M\n")
    path = home.write(text)
    argv = [runner.BUILD / "kmln", "build", "-q", "--platform", "uml", path]

    def fresh():
        shutil.rmtree(home.projects, ignore_errors=True)
    home.build(text)
    names = tree(home.project())
    fresh()
    points = faults.kill_points(argv, home.env, 12)
    for call, number in points:
        fresh()
        faults.killed_at(argv, call, number, home.env)
        if home.project().exists() and (home.project() / "project.json").exists():
            home.kmln("list", expect=0)
        home.build(text)
        assert tree(home.project()) == names, (call, number)
        for host in "ab":
            images.clean(home.raw(host))
        assert home.changes(text) == {}, (call, number)


def test_killed_while_settings_change(home):
    """The disk has the old settings or the new, and the guest's own files in any case."""
    old, new = ("global {{ project p }}\nhost a {{ startup {{ {} }} }}\n".format(word) for word in ("old", "new"))
    home.build(old)
    put_into(home.disk(), "/root/precious", b"data of the guest's\n")
    path = home.write(new)
    saved = home.folder / "saved"
    shutil.copytree(home.projects, saved)
    argv = [runner.BUILD / "kmln", "build", "-q", path]
    points = faults.kill_points(argv, home.env, 10)
    names = None
    for call, number in points:
        shutil.rmtree(home.projects)
        shutil.copytree(saved, home.projects)
        home.write(new)
        faults.killed_at(argv, call, number, home.env)
        home.kmln("build", path, expect=0)
        raw = home.raw()
        images.clean(raw)
        assert "new" in cat(raw, "/etc/kmln/startup.sh")
        assert cat(raw, "/root/precious") == "data of the guest's\n"
        names = names or tree(home.project())
        assert tree(home.project()) == names, (call, number)


def test_killed_while_an_image_is_prepared(home):
    """A portable copy is complete or not there."""
    text = "global { project p }\nhost a { }\n"
    own_image(home)
    path = home.write(text)
    argv = [runner.BUILD / "kmln", "build", "-q", "--platform", "uml", path]
    home.build(text)
    names = tree(home.path / "cache/prepared")
    rng = random.Random(time.time_ns())
    for _ in range(6):
        shutil.rmtree(home.path / "cache/prepared")
        shutil.rmtree(home.projects)
        child = subprocess.Popen(argv, env={**os.environ, "KMLN_HOME": os.fspath(home.path)})
        time.sleep(rng.uniform(0.05, 1.5))
        child.kill()
        child.wait()
        home.build(text)
        assert tree(home.path / "cache/prepared") == names
        images.clean(home.raw())


@pytest.mark.parametrize("call", ["pwrite64", "write", "ftruncate", "linkat"])
def test_full_disk(home, call):
    """It says so, in one line with the file; with room again the next build makes it right."""
    path = home.write(TWO)
    argv = [runner.BUILD / "kmln", "build", "-q", "--platform", "uml", path]
    for number in (1, 2) if call == "ftruncate" else (1, 2, 5):
        shutil.rmtree(home.projects, ignore_errors=True)
        done = faults.failing_at(argv, call, number, "ENOSPC", home.env)
        if call == "write" and done.returncode == 0:
            continue  # there was no such write
        assert done.returncode == 1, (number, done.stderr)
        if call != "write":
            assert "No space left on device" in done.stderr
        home.build(TWO)
        assert home.changes(TWO) == {}
        images.clean(home.raw())


def test_a_failed_first_build_leaves_no_folder(home):
    assert home.build("global { project p }\nhost a { users { u x x x } }\n", expect={2, 3}).err
    assert home.build("global { project p }\nhost a { files { nowhere /etc/x } }\n", expect=1).err
    assert not home.projects.exists() or os.listdir(home.projects) == []


def test_a_link_in_place_of_a_file(home):
    """Nothing is written through a link that somebody put there."""
    home.build(TWO)
    victim = home.folder / "victim"
    victim.write_text("mine")
    (home.project() / "resolved.xml").unlink()
    os.symlink(victim, home.project() / "resolved.xml")
    home.build(TWO.replace("host a {", "host a { memory 200M;"), expect={0, 1})
    assert victim.read_text() == "mine"


def test_modes(home):
    old = os.umask(0)
    try:
        home.build(TWO)
    finally:
        os.umask(old)
    for path in [home.projects, home.project(), *home.project().rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_taps(home):
    """A device of the host's is made by the script, and taken away with the project; without root the
    script says what it lacks."""
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        runner.lacking("only root can make network devices, where the host has them")
    device = f"kmt{os.getpid() % 100000}"
    home.build("global { project p }\nhost a { network eth0 { tun_iface " + device + "\n address 10.9.8.1\n"
               " netmask 255.255.255.0\n tun_address 10.9.8.254 } }\n")
    runner.need_program("ip", "iproute2")
    try:
        words_of(home.project() / "start_99_a.sh", home.folder)
        shown = runner.run(["ip", "address", "show", "dev", device], expect=0).out
        assert "inet 10.9.8.254/24" in shown
        with holds(home, "host-a") as holder:
            assert home.kmln("remove", "-y", "-p", "p", expect=1).err
            holder.communicate(b"")
        assert os.path.exists(f"/sys/class/net/{device}")
        home.kmln("remove", "-y", "-p", "p", expect=0)
        assert not os.path.exists(f"/sys/class/net/{device}")
    finally:
        subprocess.run(["ip", "link", "delete", device], capture_output=True)
