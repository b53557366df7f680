# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln plan: each example as a golden plan for User-Mode Linux and for QEMU, so that every decision of
a launcher is tested without a machine; and what a plan needs that is not there."""

import json
import os
import re
import shutil

import pytest

import guests
import runner

EXAMPLES = sorted(p for p in (runner.ROOT / "examples").iterdir() if p.suffix in (".kmln", ".mln", ".xml"))
GOLDEN = runner.ROOT / "tests/project/golden"
KMLN = runner.BUILD / "kmln"


@pytest.fixture(scope="session")
def home(shared, small_home, guest):
    """A KMLN_HOME with the images and files that the examples name."""
    place = shared / "plan-home"
    if not place.exists():
        half = shared / f"plan-home.{os.getpid()}"
        shutil.copytree(small_home, half, symlinks=True)
        (half / "data/images").mkdir(parents=True)
        (half / "data/files").mkdir()
        (half / "data/files/motd").write_text("Be kind to the machines.\n")
        for name in ("default", "debian"):
            guests.copy(guest("busybox"), half / f"data/images/{name}.img")
        try:
            half.rename(place)
        except OSError:  # another worker was first
            shutil.rmtree(half)
    return place


@pytest.fixture
def plan(kmln, home):
    def call(path, *options, **run):
        return kmln("plan", "-f", path, *options, env={"KMLN_HOME": home, **run.pop("env", {})}, **run)
    return call


def program(argv):
    """What stands behind the walls, which tests/boot holds."""
    for _ in range(2):
        argv = argv[argv.index("--") + 1:]
    return argv


def rendered(actions, home):
    """One action a line; the kernel's files, which are not this test's matter, are left out."""
    lines = []
    for action in actions:
        words = [action["action"], action["node"], action["text"], action.get("path"), action.get("from"),
                 str(action["size"]) if "size" in action else None, f"# {action['why']}" if action["why"] else None]
        lines.append(" ".join(word for word in words if word))
        for edit in action.get("edits", ()):
            if edit.get("from_kernel") or "/modules/" in edit.get("path", "") or edit.get("path", "").startswith("/boot"):
                continue
            lines.append(f"    {edit['edit']} {edit.get('path', '')} # {edit['step']}: {edit['why']}"
                         + (f" (as for {edit['as_for']})" if "as_for" in edit else ""))
            lines += ["        " + line for line in edit.get("diff", "").splitlines()]
        if "argv" in action:
            lines += ["    " + line for line in action["sandbox"][1:]]
            lines.append("    " + " ".join(program(action["argv"])))
    text = "\n".join(lines).replace(os.fspath(home), "HOME") + "\n"
    text = re.sub(r"(prepared/\w+)-[0-9a-f]{12}", r"\1", text)
    text = re.sub(r"uml-[\d.]+\.initramfs", "uml-VERSION.initramfs", text)
    return text.replace(os.fspath(runner.BUILD), "BUILD")


@pytest.mark.parametrize("platform", ["uml", "qemu"])
@pytest.mark.parametrize("example", EXAMPLES, ids=[p.stem for p in EXAMPLES])
def test_example(plan, home, example, platform):
    runner.need_program("vde_switch", "vde-switch")
    run = plan(example, "--platform", platform, "--format", "json", expect=0)
    data = json.loads(run.out)
    text = rendered(data["actions"], home)
    golden = GOLDEN / f"{example.name}.{platform}.txt"
    if os.environ.get("KMLN_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()
    # nothing was made for it
    assert not (home / "data/projects").exists() and not (home / "cache/prepared").exists()
    # people see the same actions
    shown = plan(example, "--platform", platform, "-q", expect=0).out
    verbs = [line.split()[0] for line in shown.splitlines() if not line.startswith(" ")]
    assert verbs == [action["action"] for action in data["actions"]]


def test_auto(plan, tmp_path):
    """What decides where the file leaves it open; whether this host has KVM is no matter of this test."""
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\nhost one { cpus 2 }\nhost calls { work syscalls }\n"
                       "host plain { }\nhost fixed { platform uml }\n")
    why = {a["node"]: a["why"] for a in json.loads(plan(project, "--format", "json", expect=0).out)["actions"]
           if a["action"] == "spawn"}
    assert why["fixed"] == "on uml: the file says so"
    if why["plain"].startswith("on kvm"):
        assert all(why[name] == "on kvm: the fastest" for name in ("one", "calls", "plain"))
    else:
        assert why["one"].startswith("on qemu: no KVM, and User-Mode Linux has one processor")
        assert why["calls"].startswith("on qemu: no KVM, and system calls are faster")
        assert why["plain"] == "on uml: no KVM, and programs run at the host's speed"


def test_order(plan, tmp_path):
    """Small numbers first, and whoever waits for another behind it; the file's order within a level."""
    project = tmp_path / "p.kmln"
    project.write_text("global { project p\n beforeProjectStart { echo 1 }\n afterProjectStart { echo 2 } }\n"
                       "host late { after early }\nhost early { boot_order 50 }\nhost c { }\nhost b { boot_order 10 }\n")
    actions = json.loads(plan(project, "--platform", "uml", "--format", "json", expect=0).out)["actions"]
    assert [a["node"] for a in actions if a["action"] == "spawn"] in (
        ["b", "early", "c", "late"], ["b", "early", "late", "c"])
    runs = [i for i, a in enumerate(actions) if a["action"] == "run"]
    spawns = [i for i, a in enumerate(actions) if a["action"] in ("spawn", "serve")]
    assert len(runs) == 2 and runs[0] < spawns[0] and runs[1] > spawns[-1]


@pytest.mark.parametrize("text, status, words", [
    ("host a { platform xen }", 5, "xen machines cannot be started yet"),
    ("host a { platform container }", 5, "container machines cannot be started yet"),
    ("host a { image missing }", 3, None),
    ("host a { files { nowhere /etc/x } }", 1, "nowhere: No such file"),
    ("host a { filesystem /dev/null }", None, "not supported yet"),
    ("host a { platform uml; cpus 3 }", 2, "one processor"),
])
def test_refused(plan, tmp_path, text, status, words):
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\n" + text + "\n")
    run = plan(project)
    assert run.status != 0 if status is None else run.status == status, run
    assert words is None or words in run.err, run


def test_files_stay_inside(plan, tmp_path):
    """What a project puts into guests is a regular file of its folder, whatever its links say."""
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret\n")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "absolute").symlink_to("/etc/passwd")
    (folder / "in").symlink_to("plain")
    (folder / "plain").write_text("plain words\n")
    (folder / "dir").mkdir()
    os.mkfifo(folder / "fifo")
    project = folder / "p.kmln"

    def planned(source):
        project.write_text(f"global {{ project p }}\nhost a {{ files {{ {source} /etc/x }} }}\n")
        return plan(project, "--platform", "uml")
    assert "+plain words" in planned("in").out
    for source, words in (("out", "leads out of the folder"), ("absolute", "leads out of the folder"),
                          ("fifo", "no regular file"), ("dir", "no regular file")):
        run = planned(source)
        assert run.status == 3 and words in run.err and "secret" not in run.out, run


def test_keys(plan, tmp_path):
    """The words of a key are one line of authorized_keys."""
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\nhost a { users { ada }\n"
                       "  sshkey { ada ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada@home } }\n")
    out = plan(project, "--platform", "uml", expect=0).out
    assert "+ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada@home\n" in out
    assert "authorized_keys" in out


def test_prepared(kmln, plan, home, tmp_path):
    """An image whose portable copy is there is not prepared again; all else is planned as before."""
    own = tmp_path / "home"
    shutil.copytree(home, own, symlinks=True)
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\nswitch s { net 10.0.0.0/24 }\n"
                       "host a { startup { date }; network eth0 { switch s } }\n")

    def actions():
        return json.loads(plan(project, "--platform", "qemu", "--format", "json", env={"KMLN_HOME": own},
                               expect=0).out)["actions"]
    first, *before = actions()
    assert first["action"] == "prepare"
    kmln("build", project, "--platform", "qemu", env={"KMLN_HOME": own}, expect=0, timeout=120)
    assert actions() == before
    # a broken one is said, and not taken
    os.chmod(first["path"], 0o600)
    with open(first["path"], "r+b") as file:
        file.truncate(4096)
    run = plan(project, "--platform", "qemu", env={"KMLN_HOME": own})
    assert run.status == 3 and first["path"] in run.err


@pytest.mark.parametrize("name, package, more", [
    ("vde_switch", "vde-switch", ""), ("wirefilter", "vde-wirefilter", "delay 10ms"),
    ("qemu-storage-daemon", "qemu-system-common", ""), ("linux.uml", "user-mode-linux", "")])
def test_program_missing(home, tmp_path, name, package, more):
    """What is not installed is named with its package."""
    project = tmp_path / "p.kmln"
    project.write_text(f"global {{ project p }}\nswitch s {{ {more} }}\n"
                       "host a { platform uml; network eth0 { switch s } }\n")
    place = os.path.realpath(runner.need_program(name, package))
    maybe = [] if os.geteuid() == 0 else ["--map-root-user"]
    run = runner.run(["unshare", "-m", *maybe, "sh", "-c", f'mount --bind /dev/null {place}; exec "$@"', "sh",
                      KMLN, "plan", "-f", project], env={"KMLN_HOME": home}, expect=5)
    assert f"{name} is not installed (Debian package {package})" in run.err
