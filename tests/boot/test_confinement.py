# SPDX-License-Identifier: GPL-2.0-or-later
"""What root in a hostile guest can do to its host's user: through hostfs of User-Mode Linux it tries
to read, change and delete his files. Behind kmln's walls all of it must fail; without them all of it
must succeed, or this test would prove nothing."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

import guests
import machines
import runner

ATTEMPTS = {"read", "write", "chmod", "utimes", "truncate", "create", "shm", "rename", "unlink"}

# $V and $S: folders of the host with the files `victim` and `other`
ATTACK = """
mount -t devtmpfs dev /dev 2>/dev/null
try() { name=$1; shift; if eval "$*" >/dev/null 2>&1; then echo "try:$name=done"; else echo "try:$name=denied"; fi; }
mount -t hostfs none /mnt -o / && echo try:mount=done
V=/mnt$V
S=/mnt$S
try read 'grep -q SECRET $V/victim'
try write 'echo more >> $V/victim'
try chmod 'chmod 777 $V/victim'
try utimes 'touch -c -d "2001-02-03 04:05:06" $V/victim && [ -e $V/victim ]'
try truncate 'truncate -c -s 3 $V/victim && [ -e $V/victim ]'
try create 'echo new > $V/new'
try shm 'grep -q OTHERS $S/other && echo x >> $S/other'
try rename 'mv $V/movable $V/moved'
try unlink 'rm $V/doomed'
@HOST@
echo "processes: $(ls /mnt/proc | grep -c '^[0-9]')"
echo attempts over
poweroff -f
"""

# Tried only behind the walls: where these succeed they damage the host that runs the tests.
HOST_ATTACK = """
try passwd 'cat /mnt/etc/passwd'
try usr 'echo x > /mnt/usr/kmln-test'
try null 'chmod 600 /mnt/dev/null || touch -d 2001-01-01 /mnt/dev/null'
try self 'chmod 777 /mnt/kmln/confine || echo x > /mnt/kmln/confine'
try kernel 'echo x > /mnt/proc/sys/kernel/core_pattern'
"""

pytestmark = pytest.mark.boot


def results(text):
    return dict(re.findall(r"^try:(\w+)=(\w+)\r?$", text, re.M))


class Victim:
    """The user's folder, and another program's file in /dev/shm."""

    def __init__(self, folder, user):
        self.folder = folder / "private"
        self.folder.mkdir()
        self.shm = Path(subprocess.check_output(["mktemp", "-d", "-p", "/dev/shm"], text=True).strip())
        self.files = [self.folder / name for name in ("victim", "movable", "doomed")]
        for file in self.files:
            file.write_text("SECRET of " + file.name)
        (self.shm / "other").write_text("OTHERS")
        self.files.append(self.shm / "other")
        for path in (self.folder, self.shm, *self.files):
            os.utime(path, (1e9, 1e9))
            if os.geteuid() == 0 and user:
                os.chown(path, user.uid, user.gid)
        self.before = self.state()

    def state(self):
        """Content, mode, owner and times of all, and the names in the folders."""
        found = {}
        for folder in (self.folder, self.shm):
            for path in (folder, *folder.iterdir()):
                st = path.stat()
                found[path] = (st.st_mode, st.st_uid, st.st_mtime_ns, st.st_ino,
                               path.read_bytes() if path.is_file() else None)
        return found

    def attack(self, host):
        return f"V={self.folder}\nS={self.shm}\n{ATTACK.replace('@HOST@', HOST_ATTACK if host else '')}"


@pytest.fixture(params=["whoever runs the tests", "an ordinary user"])
def who(request, ordinary_user):
    if request.param == "an ordinary user":
        return ordinary_user
    return None if os.geteuid() == 0 else pytest.skip("this is an ordinary user already")


@pytest.fixture
def victim(who, tmp_path):
    runner.need_program("linux.uml", "user-mode-linux")
    victim = Victim(who.home if who else tmp_path, who)
    yield victim
    subprocess.run(["rm", "-r", victim.shm], check=True)


def make_attacker(guest, victim, who, tmp_path, host):
    image = machines.with_rc(guests.copy(guest("busybox"), tmp_path / "attacker.img"),
                             victim.attack(host))
    return who.give(image) if who else image


@pytest.fixture
def attacker(guest, victim, who, tmp_path):
    """Attacks the user's files."""
    return make_attacker(guest, victim, who, tmp_path, host=False)


@pytest.fixture
def host_attacker(guest, victim, who, tmp_path):
    """Attacks the host as well."""
    return make_attacker(guest, victim, who, tmp_path, host=True)


def test_nothing_is_reached(kmln, host_attacker, victim, who):
    null = os.stat("/dev/null")
    run = kmln("boot", "--on", "uml", host_attacker, "--until", "attempts over", "--timeout", "60",
               user=who, expect=0)
    seen = results(run.out)
    # hostfs itself works: it is the files that are not there
    assert seen.pop("mount") == "done", str(run)
    assert set(seen) >= ATTEMPTS | {"passwd", "usr", "null", "self", "kernel"}
    assert set(seen.values()) == {"denied"}, str(run)
    assert victim.state() == victim.before
    now = os.stat("/dev/null")
    assert (now.st_mode, now.st_mtime, now.st_ino) == (null.st_mode, null.st_mtime, null.st_ino)
    # bubblewrap's own and UML's
    assert int(re.search(r"^processes: (\d+)", run.out, re.M)[1]) < 12


def plain_uml(image, user):
    """The console of an unconfined machine that ends by itself."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.Popen(
            ["linux.uml", f"ubd0={image}", "root=/dev/ubda", "rw", "mem=128M", "con=none", "ssl=none",
             "ssl0=fd:0,fd:1", "console=ttyS0"], stdin=theirs, stdout=theirs,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "TMPDIR": "/dev/shm", "HOME": os.fspath(image.parent)},
            **(user.identity() if user else {}))
        theirs.close()
        ours.settimeout(60)
        out = b""
        try:
            while piece := ours.recv(65536):
                out += piece
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return out.decode("utf-8", "backslashreplace")


def test_control_plain_uml_reaches_everything(attacker, victim, who):
    """The same guest without walls: if this does not succeed, the test above cannot fail."""
    out = plain_uml(attacker, who)
    seen = results(out)
    assert {name for name, state in seen.items() if state == "done"} >= ATTEMPTS, out
    assert "attempts over" in out
    after = victim.state()
    assert after != victim.before
    assert after[victim.folder / "victim"][0] & 0o777 == 0o777
    assert {p.name for p in victim.folder.iterdir()} == {"victim", "new", "moved"}


def test_landlock_alone(kmln, attacker, victim, who):
    """--unconfined: the contents are held, metadata is not; the manual says so."""
    status = runner.run([runner.BUILD / "kmln", "_confine", "--run", "/usr", "--", "/bin/true"]).status
    if status:
        runner.lacking("this kernel has no Landlock")
    run = kmln("boot", "--on", "uml", "--unconfined", attacker, "--until", "attempts over",
               "--timeout", "60", user=who, expect=0)
    seen = results(run.out)
    denied = {name for name, state in seen.items() if state == "denied"}
    assert denied >= ATTEMPTS - {"chmod", "utimes"}, str(run)
    for path, (*_, content) in victim.before.items():
        assert path.exists()
        assert content is None or path.read_bytes() == content
    assert not (victim.folder / "new").exists()


def test_no_bubblewrap(kmln, guest, tmp_path):
    (tmp_path / "linux.uml").symlink_to(runner.need_program("linux.uml", "user-mode-linux"))
    image = guests.copy(guest("busybox"), tmp_path / "guest.img")
    before = image.read_bytes()
    # /usr/sbin and /sbin are always looked in
    run = kmln("boot", "--on", "uml", image, "--until", "x", env={"PATH": str(tmp_path)}, expect=5)
    assert "bwrap" in run.err and "bubblewrap" in run.err and "--unconfined" in run.err
    assert "every file that you can" in run.err
    assert not run.out and image.read_bytes() == before


def test_no_namespaces(guest, tmp_path):
    """Inside a user namespace in which no further one may be made."""
    image = guests.copy(guest("busybox"), tmp_path / "guest.img")
    before = image.read_bytes()

    def kmln(*options, expect):
        return runner.run(["unshare", "--user", "--map-root-user", "sh", "-c",
                           'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh",
                           runner.BUILD / "kmln", "boot", "--on", "uml", image, *options],
                          expect=expect)

    run = kmln("--until", guests.READY, expect=5)
    assert "namespace" in run.err and "--unconfined" in run.err
    assert not run.out and image.read_bytes() == before
    run = kmln("--unconfined", "--until", guests.READY, "--timeout", "60", expect=0)
    assert guests.READY in run.out


@pytest.fixture
def confine():
    """confine(RULES, *COMMAND): the command behind Landlock alone."""
    def call(rules, *argv):
        libraries = [p for p in ("/lib", "/lib64", "/lib32") if os.path.exists(p)]
        base = ["--run", "/usr", *(x for p in libraries for x in ("--run", p)),
                "--read", "/etc/ld.so.cache", "--write", "/dev/null", "--read", "/proc"]
        return runner.run([runner.BUILD / "kmln", "_confine", *base, *rules, "--", *argv])
    return call


def test_rules(confine, tmp_path):
    """Each right does what it says, and no more."""
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    folder.mkdir()
    secret.write_text("SECRET")
    if confine((), "/bin/cat", secret).status == 0:
        runner.lacking("this kernel has no Landlock")
    assert confine(("--read", secret), "/bin/cat", secret).out == "SECRET"
    assert confine(("--read", secret), "/bin/sh", "-c", f"echo x >> {secret}").status != 0
    assert confine(("--read", secret), "/usr/bin/truncate", "-s", "0", secret).status != 0
    assert confine(("--write", folder), "/bin/sh", "-c", f"echo x > {folder}/new").status == 0
    assert confine(("--write", folder), "/bin/sh", "-c", f"echo x > {tmp_path}/new").status != 0
    assert confine(("--write", folder), "/bin/mknod", folder / "null", "c", "1", "3").status != 0
    # what was written cannot be executed
    program = folder / "program"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    assert confine(("--write", folder), program).status != 0
    assert confine(("--run", folder), program).out == "ran\n"
    assert secret.read_text() == "SECRET"
    assert {p.name for p in folder.iterdir()} == {"new", "program"}


def test_no_descriptor_is_inherited(confine, tmp_path):
    (tmp_path / "open").write_text("inherited")
    fd = os.open(tmp_path / "open", os.O_RDONLY)
    try:
        os.set_inheritable(fd, True)
        listing = subprocess.run(
            [runner.BUILD / "kmln", "_confine", "--run", "/usr", "--run", "/lib64", "--read", "/proc",
             "--", "/bin/ls", "-l", "/proc/self/fd"], pass_fds=[fd], capture_output=True, text=True,
            check=False)
        assert " 0 -> " in listing.stdout, listing
        assert os.fspath(tmp_path) not in listing.stdout
    finally:
        os.close(fd)


def test_no_network(confine):
    """TCP is refused by Landlock alone (ABI 4, Linux 6.7)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('through')"
        assert runner.run(["/usr/bin/python3", "-Sc", program]).out == "through\n"
        if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 7):
            runner.lacking("this kernel's Landlock knows no network rights")
        run = confine((), "/usr/bin/python3", "-Sc", program)
        assert run.status != 0 and "Permission" in run.err, run
