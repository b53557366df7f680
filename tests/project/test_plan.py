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
    text = re.sub(r"uml-[\d.]+(-[0-9a-f]+)?\.initramfs", "uml-VERSION.initramfs", text)
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
    (folder / "dir/x").symlink_to("../../secret")
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/up").symlink_to("..")
    os.mkfifo(folder / "fifo")
    project = folder / "p.kmln"

    def planned(source):
        project.write_text(f"global {{ project p }}\nhost a {{ files {{ {source} /etc/x }} }}\n")
        return plan(project, "--platform", "uml")
    assert "+plain words" in planned("in").out
    for source, words in (("out", "leads out of the folder"), ("absolute", "leads out of the folder"),
                          ("fifo", "no regular file"), ("dir", "leads out of the project's folder"),
                          ("deep", "a link to a folder")):
        run = planned(source)
        assert run.status == 3 and words in run.err and "secret" not in run.out, run


def test_folder_of_files(plan, tmp_path):
    """All files of a folder, with what is below it; what can be run stays so; links to its files are files."""
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "plain").write_text("plain words\n")
    (tree / "a/b/deep").write_text("deep words\n")
    (tree / "a/run").write_text("#!/bin/sh\n")
    (tree / "a/run").chmod(0o755)
    (tree / "a/link").symlink_to("../plain")
    project = tmp_path / "p.kmln"

    def planned(line):
        project.write_text(f"global {{ project p }}\nhost a {{ files {{ {line} }} }}\n")
        return [line.split("  #")[0].strip() for line in plan(project, "--platform", "uml", expect=0).out.splitlines()
                if "# files: " in line]
    assert planned("tree /opt/t") == [
        "mkdir   /opt 0755 0:0", "mkdir   /opt/t 0755 0:0", "mkdir   /opt/t/a 0755 0:0", "mkdir   /opt/t/a/b 0755 0:0",
        "put     /opt/t/a/b/deep 0644 0:0, 11 bytes", "put     /opt/t/a/link 0644 0:0, 12 bytes",
        "put     /opt/t/a/run 0755 0:0, 10 bytes", "put     /opt/t/plain 0644 0:0, 12 bytes"]
    assert [line.split()[2] for line in planned("tree /opt/t 600") if line.startswith("put")] == ["0600"] * 4
    for i in range(1000):
        (tree / f"f{i}").write_text("")
    project.write_text("global { project p }\nhost a { files { tree /opt/t } }\n")
    run = plan(project, expect=3)
    assert "more than 1000 files" in run.err


@pytest.fixture
def data_image(tmp_path):
    """An ext4 disk with a name of its own, and what is none."""
    image = tmp_path / "data.img"
    with open(image, "wb") as file:
        file.truncate(4 << 20)
    runner.run([runner.need_program("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-U",
                "01234567-89ab-cdef-0123-456789abcdef", image], expect=0)
    return image


@pytest.mark.parametrize("platform, disk", [("uml", "ubd2d=/kmln/disk1 ubd3rd=/kmln/disk2"),
                                            ("qemu", "if=virtio,format=raw,file=/kmln/disk1,file.locking=on "
                                                     "-drive if=virtio,format=raw,file=/kmln/disk2,"
                                                     "file.locking=on,readonly=on")],
                         ids=["uml", "qemu"])
def test_mount(plan, tmp_path, data_image, platform, disk):
    """Images of this host become disks, by their filesystem's own name where it has one; the rest is fstab's."""
    other = tmp_path / "plain.img"
    other.write_bytes(bytes(1 << 20))  # its filesystem has no name at all
    runner.run([runner.need_program("mke2fs", "e2fsprogs"), "-q", "-F", "-t", "ext2", "-U", "clear", other], expect=0)
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\nhost a { swap 1M\n mount {\n  data.img /srv/data ext4 noatime\n"
                       f"  {other} /srv/other ext2 ro\n  LABEL=x /srv/x ext4\n  nas:/export /srv/n nfs\n"
                       "  tmpfs /srv/t tmpfs size=1M\n } }\nhost b { mount { plain.img /mnt/o ext2 ro } }\n")
    run = plan(project, "--platform", platform, "--format", "json", expect=0)
    actions = json.loads(run.out)["actions"]
    fstab = next(e["diff"] for a in actions if a["action"] == "edit" and a["node"] == "a"
                 for e in a["edits"] if e.get("path") == "/etc/fstab")
    name = "/dev/ubdd" if platform == "uml" else "/dev/vdd"
    assert [line.strip()[1:] for line in fstab.splitlines() if " /srv/" in line] == [
        "UUID=01234567-89ab-cdef-0123-456789abcdef /srv/data ext4 noatime 0 0", f"{name} /srv/other ext2 ro 0 0",
        "LABEL=x /srv/x ext4 defaults 0 0", "nas:/export /srv/n nfs defaults 0 0", "tmpfs /srv/t tmpfs size=1M 0 0"]
    spawn = next(a for a in actions if a["action"] == "spawn" and a["node"] == "a")
    assert disk in " ".join(program(spawn["argv"])), spawn["argv"]
    assert f"write /kmln/disk1: {data_image}" in spawn["sandbox"] and f"read /kmln/disk2: {other}" in spawn["sandbox"]


@pytest.mark.parametrize("mount, words", [
    ("data.img /a ext4", "is a disk of a already"), ("text /a ext4", "there is no filesystem in it"),
    ("folder /a ext4", "no regular file"), ("link /a ext4", "no regular file"), ("q.qcow2 /a ext4", "this is qcow2"),
    (". /a hostfs", "this host's own files"), ("none.img /a ext4", "p.kmln:3:18: error: there is no `none.img`")])
def test_mount_refused(plan, tmp_path, data_image, mount, words):
    (tmp_path / "text").write_text("not a disk, but words\n" * 1000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/dev/zero")
    runner.run([runner.need_program("qemu-img", "qemu-utils"), "create", "-q", "-f", "qcow2", tmp_path / "q.qcow2", "1M"], expect=0)
    project = tmp_path / "p.kmln"
    project.write_text(f"global {{ project p }}\nhost a {{ mount {{ data.img /a ext4 }} }}\nhost b {{ mount {{ {mount} }} }}\n")
    run = plan(project, "--platform", "uml")
    assert run.status in (2, 3) and words in run.err, run


def test_kernel_files(plan, tmp_path):
    """A program for User-Mode Linux, a bzImage for QEMU; each as it is, with the initramfs that is said, if any."""
    uml = os.path.realpath(runner.need_program("linux.uml", "user-mode-linux"))
    shutil.copy(uml, tmp_path / "my.uml")
    image = bytearray(4096)
    image[0x202:0x206] = b"HdrS"
    (tmp_path / "bzImage").write_bytes(image)
    (tmp_path / "ramdisk").write_bytes(b"x")
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\nhost a { platform uml; kernel ./my.uml }\nhost b { platform qemu; kernel bzImage }\n"
                       "host c { platform qemu; kernel bzImage; ramdisk ramdisk }\nhost d { platform uml; kernel my.uml; ramdisk ramdisk }\n"
                       "host e { platform uml; kernel linux }\n")
    spawns = {a["node"]: a for a in json.loads(plan(project, "--format", "json", expect=0).out)["actions"]
              if a["action"] == "spawn"}
    words = {name: program(a["argv"]) for name, a in spawns.items()}
    assert words["a"][0] == "/kmln/program" and not any(w.startswith("initrd=") for w in words["a"])
    assert f"run /kmln/program: {tmp_path / 'my.uml'}" in spawns["a"]["sandbox"]
    assert "initrd=/kmln/initramfs" in words["d"] and f"read /kmln/initramfs: {tmp_path / 'ramdisk'}" in spawns["d"]["sandbox"]
    assert words["b"][words["b"].index("-kernel") + 1] == "/kmln/kernel" and "-initrd" not in words["b"]
    append = words["b"][words["b"].index("-append") + 1]
    assert append.startswith("root=/dev/vda rw") and "UUID=" not in append
    assert "-initrd" in words["c"] and "root=UUID=" in words["c"][words["c"].index("-append") + 1]
    assert words["e"][0] == uml


def test_kernel_kit(plan, home, tmp_path):
    """The name of a kit: copies of the image with other kernels are other copies."""
    release = next(p.name for p in (home / "cache/kernels").iterdir() if not p.name.startswith("."))
    project = tmp_path / "p.kmln"
    project.write_text(f"global {{ project p }}\nhost a {{ kernel {release} }}\nhost b {{ }}\nhost c {{ kernel {release} }}\n")
    actions = json.loads(plan(project, "--platform", "qemu", "--format", "json", expect=0).out)["actions"]
    made = [a["path"] for a in actions if a["action"] == "prepare"]
    over = {a["node"]: a["from"] for a in actions if a["action"] == "overlay"}
    assert len(set(made)) == 2 and over["a"] == over["c"] != over["b"] and set(over.values()) == set(made)


@pytest.mark.parametrize("line, place, words", [
    ("platform uml; kernel bz", "2:31", "is a kernel for a PC"), ("platform qemu; kernel my.uml", "2:32", "takes a bzImage"),
    ("kernel text", "2:17", "is no kernel"), ("kernel ./none", "2:17", "is not there"), ("kernel folder", "2:17", "is no kernel"),
    ("platform uml; kernel 6.1.0-1", "2:31", "is its own kernel"), ("platform qemu; kernel 9.9.9", None, "no kernel 9.9.9"),
    ("platform qemu; ramdisk text", "2:33", "needs the kernel that it is for")])
def test_kernel_refused(plan, tmp_path, line, place, words):
    shutil.copy(os.path.realpath(runner.need_program("linux.uml", "user-mode-linux")), tmp_path / "my.uml")
    image = bytearray(4096)
    image[0x202:0x206] = b"HdrS"
    (tmp_path / "bz").write_bytes(image)
    (tmp_path / "text").write_text("words\n")
    (tmp_path / "folder").mkdir()
    project = tmp_path / "p.kmln"
    project.write_text(f"global {{ project p }}\nhost a {{ {line} }}\n")
    run = plan(project)
    assert run.status != 0 and words in run.err and (not place or f"p.kmln:{place}:" in run.err), run


def test_internalswap(plan, tmp_path):
    """A file in the guest; a disk without a wished size grows by it."""
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\nhost a { internalswap 64M }\nhost b { internalswap 1M; size 2G }\n")
    actions = json.loads(plan(project, "--platform", "uml", "--format", "json", expect=0).out)["actions"]
    size = {a["node"]: a["size"] for a in actions if a["action"] == "overlay"}
    edits = {a["node"]: a["edits"] for a in actions if a["action"] == "edit"}
    image = size["a"] - (64 << 20)
    assert image > 0 and next(e["size"] for e in edits["a"] if e["edit"] == "resize") == size["a"]
    assert size["b"] == 2 << 30
    assert next(e["size"] for e in edits["a"] if e.get("path") == "/kmln.swap") == 64 << 20
    assert next("+/kmln.swap none swap sw 0 0\n" in e["diff"] for e in edits["b"] if e.get("path") == "/etc/fstab")


def test_packages_without_a_way_out(plan, tmp_path):
    """Said in the plan, where nothing leads outside."""
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\nswitch lan { }\nswitch out { net 10.0.0.0/24; uplink nat }\n"
                       "superclass s { packages { hello } }\nhost a { superclass s; network eth0 { switch lan } }\n"
                       "host b { superclass s; network eth0 { switch out } }\nhost c { superclass s }\n")
    text = plan(project, "--platform", "uml", expect=0).out
    parts = {part.split()[0]: part for part in text.split("\nedit    ")[1:]}
    assert "no way outside" in parts["a"] and "no way outside" in parts["c"] and "no way outside" not in parts["b"]
    assert all("+want='hello'" in part or "(as for" in part for part in parts.values())


def test_keys(plan, tmp_path):
    """The words of a key are one line of authorized_keys."""
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\nhost a { users { ada }\n"
                       "  sshkey { ada ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada@home } }\n")
    out = plan(project, "--platform", "uml", expect=0).out
    assert "+ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada@home\n" in out
    assert "authorized_keys" in out


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_thousand_hosts(home, tmp_path, command):
    """On twenty switches: 64 MB are enough, since each host is planned, shown and forgotten."""
    if b"__asan_init" in KMLN.read_bytes():
        pytest.skip("the sanitizers' memory is not kmln's")
    project = tmp_path / "p.kmln"
    project.write_text("global { project p }\n" + "".join(f"switch s{i} {{ net 10.{i}.0.0/16 }}\n" for i in range(20))
                       + "".join(f"host n{i} {{\n\tboot_order {i % 100}\n\tnetwork eth0 {{ switch s{i % 20} }}\n"
                                 f"\tnetwork eth1 {{ switch s{(i + 1) % 20} }}\n\tstartup {{\n\t\techo {i}\n\t}}\n}}\n"
                                 for i in range(1000)))
    run = runner.run(["/usr/bin/time", "-f", "peak %M", KMLN, command, "-q", *(["--platform", "uml"] if command == "plan" else []),
                      "-f", project], env={"KMLN_HOME": home}, expect=0, timeout=60)
    assert int(run.err.rsplit("peak ", 1)[1]) < 64 * 1024
    assert command == "validate" or run.out.count("\nspawn ") >= 1000 + 20


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
