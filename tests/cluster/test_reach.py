# SPDX-License-Identifier: GPL-2.0-or-later
"""Reaching into running machines: console, logs, exec, cp, ssh. Real User-Mode Linux and QEMU guests,
kept by kmln-node, with the agent in them."""

import hashlib
import json
import os
import random
import re
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

import guests
import machines
import reach
import runner

pytestmark = pytest.mark.boot

BIG = random.Random(7).randbytes(10_000_019)


PROJECT = """global { project net }
superclass all { platform uml; size 200M }
host b { superclass all }
host a { superclass all }
host q { superclass all; platform qemu }
host c { superclass all }
"""


@pytest.fixture(scope="module")
def net(prepared_home, tmp_path_factory):
    """Two UML hosts and one in QEMU, with a busybox guest each; c does not run."""
    runner.need_program("linux.uml", "user-mode-linux")
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    home = tmp_path_factory.mktemp("reach")
    for name in ("cache/kernels", "cache/prepared", "data/images"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).symlink_to(prepared_home / name)
    (home / "net.kmln").write_text(PROJECT)
    runner.run([runner.BUILD / "kmln", "build", home / "net.kmln"], env={"KMLN_HOME": home}, expect=0,
               timeout=200)
    project = reach.Project(home)
    try:
        for host in "qba":
            project.start(host)
        project.ready("a", "b", "q")
        yield project
    finally:
        project.close()


@pytest.fixture
def terminal(net):
    opened = []

    def make(*args, **options):
        opened.append(reach.Terminal(net, args[0], args[1:], options.pop("rows", 24),
                                     options.pop("columns", 80)))
        return opened[-1]
    yield make
    for one in opened:
        one.close()


# --- exec

def test_exec_is_as_if_it_ran_here(net):
    run = net.run("exec", "a", "sh", "-c", "echo out; echo err >&2; exit 7", expect=7)
    assert (run.out, run.err) == ("out\n", "err\n")
    # options behind the command are the command's, those in front are kmln's
    assert net.run("exec", "a", "echo", "-n", "--all", "-t", expect=0).out == "--all -t"
    assert net.run("exec", "a", "-w", "/etc", "pwd", expect=0).out == "/etc\n"
    assert net.run("exec", "-w", "/etc", "A", "--", "pwd", expect=0).out == "/etc\n"
    assert net.run("exec", "-e", "X=1 2", "-e", "Y=a,b", "a", "sh", "-c", "echo $X $Y",
                   expect=0).out == "1 2 a,b\n"
    assert net.run("exec", "-u", "ada", "a", "id", "-un", expect=0).out == "ada\n"
    assert net.run("exec", "a", "cat", stdin=b"typed", expect=0).out == "typed"
    assert net.run("exec", "-n", "a", "cat", stdin=b"typed", expect=0).out == ""


def test_exit_statuses_of_exec(net):
    net.run("exec", "a", "true", expect=0)
    net.run("exec", "a", "sh", "-c", "kill -9 $$", expect=128 + 9)
    assert "nosuch" in net.run("exec", "a", "nosuch", expect=127).err
    net.run("exec", "a", "/etc/fstab", expect=126)
    assert "c is not running" in net.run("exec", "c", "true", expect=125).err
    assert "no host 'zzzzzz'" in net.run("exec", "zzzzzz", "true", expect=2).err
    assert "which command" in net.run("exec", "a", expect=2).err
    assert "which host" in net.run("exec", expect=2).err
    assert "no user" in net.run("exec", "-u", "nobody-here", "a", "true", expect={125, 127}).err.lower()
    start = time.monotonic()
    run = net.run("exec", "--timeout", "1", "a", "sleep", "1000", expect=125)
    assert "still ran after 1 s" in run.err and time.monotonic() - start < 20
    # what ran was ended
    machines.wait_for(lambda: net.run("exec", "a", "pidof", "sleep").status == 1, "its end")


def test_file_with_mistakes(net):
    """Only the name is taken from it: what runs can be reached while it is edited."""
    file = net.home / "net.kmln"
    file.write_text(PROJECT + "host broken { superclass nothing")
    try:
        for words in (["exec", "a", "--", "true"], ["logs", "a"], ["ssh-config", "a"]):
            done = runner.run([runner.BUILD / "kmln", *words], cwd=net.home, env={"KMLN_HOME": net.home}, expect=0)
            assert not done.err, words
    finally:
        file.write_text(PROJECT)


def test_streams_are_bytes(net):
    """10 MB out of a guest, and enough into it that credit and windows matter, unchanged."""
    with open(net.home / "a.big", "wb") as file:
        file.write(BIG)
    net.run("cp", net.home / "a.big", "a:/tmp/big", expect=0)
    run = net.run("exec", "a", "cat", "/tmp/big", expect=0, timeout=120)
    assert run.out_bytes == BIG
    run = net.run("exec", "a", "sh", "-c", "cat >/tmp/in; cat /tmp/in; cat /tmp/in >&2", stdin=BIG[:400_000], expect=0,
                  timeout=120)
    assert run.out_bytes == run.err_bytes == BIG[:400_000]
    # a reader that goes away takes the command with it
    with net.popen("exec", "a", "cat", "/dev/zero", stdout=subprocess.PIPE) as child:
        child.stdout.read(100_000)
        child.stdout.close()
        assert child.wait(20) == -signal.SIGPIPE


def test_slow_reader_needs_no_memory(net):
    with net.popen("exec", "a", "cat", "/dev/zero", stdout=subprocess.PIPE) as child:
        child.stdout.read(1)
        time.sleep(2)
        status = open(f"/proc/{child.pid}/status").read()
        child.kill()
    assert runner.fits(int(status.split("VmRSS:")[1].split()[0]), 40_000)


def test_exec_in_several(net):
    run = net.run("exec", "a", "b", "--", "sh", "-c", "echo one; printf two", expect=0)
    assert sorted(run.out.splitlines()) == ["a: one", "a: two", "b: one", "b: two"]
    # the first status in the order of the file, in which b is before a
    script = "case $(cat /tmp/me) in a) exit 4;; b) exit 5;; esac"
    for host in "ab":
        net.run("exec", host, "sh", "-c", f"echo {host} >/tmp/me", expect=0)
    net.run("exec", "a", "b", "--", "sh", "-c", script, expect=5)
    run = net.run("exec", "--all", "hostname", expect=125)
    assert sorted(run.out.splitlines()) == ["a: a", "b: b", "q: q"] and "c is not running" in run.err
    # the same input for all, none unless that is asked for
    run = net.run("exec", "-i", "a", "b", "--", "cat", stdin=b"in\n", expect=0)
    assert sorted(run.out.splitlines()) == ["a: in", "b: in"]
    assert not net.run("exec", "a", "b", "--", "cat", stdin=b"in\n", expect=0).out
    assert "one host" in net.run("exec", "-t", "a", "b", "--", "sh", expect=2).err


def test_exec_in_several_at_once(net):
    start = time.monotonic()
    net.run("exec", "a", "b", "--", "sleep", "2", expect=0)
    together = time.monotonic() - start
    assert together < 3.9


def test_exec_as_json(net):
    run = net.run("exec", "--format", "json", "b", "a", "c", "--", "sh", "-c",
                  "printf 'x\\377\\000y'; cat /tmp/me >&2; exit 3", expect=3)
    b, a, c = json.loads(run.out)  # the order of the file
    assert (a["host"], b["host"], c["host"]) == ("a", "b", "c")
    assert a["stdout"] == "x\\xff\\x00y" and a["stderr"] == "a\n" and a["status"] == 3
    assert c["status"] == 125 and "not running" in c["error"]


def test_signals_reach_the_command(net):
    for number in (signal.SIGINT, signal.SIGTERM):
        with net.popen("exec", "a", "sh", "-c", "trap 'exit 33' INT TERM; echo on; while :; do sleep 0.1; done",
                       stdout=subprocess.PIPE) as child:
            assert child.stdout.readline() == b"on\n"
            child.send_signal(number)
            assert child.wait(20) == 33
    # one that does not listen is ended by asking three times
    with net.popen("exec", "a", "sh", "-c", "trap '' INT; echo on; while :; do sleep 0.1; done",
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"on\n"
        for _ in range(3):
            child.send_signal(signal.SIGINT)
            time.sleep(0.2)
        assert child.wait(20) == 130


def test_terminal(net, terminal):
    shell = terminal("exec", "-t", "a", "sh", rows=33, columns=111)
    shell.until(b"# ")
    shell.type(b"stty size; tty\r")
    shell.until(b"33 111\r\n")
    shell.until(b"/dev/pts/")
    shell.resize(20, 50)
    shell.type(b"sleep 0.2; stty size\r")
    shell.until(b"20 50\r\n")
    # Ctrl-C is the guest's
    shell.until(b"# ")
    shell.type(b"cat\r")
    time.sleep(0.5)
    shell.type(b"\x03")
    shell.until(b"# ")
    shell.type(b"echo after-$?\r")
    shell.until(b"after-130")
    shell.type(b"exit 9\r")
    assert shell.end() == 9


# --- console

def test_console(net, terminal):
    first = terminal("console", "b")
    first.until(b"Ctrl-] leaves it")
    first.type(b"echo sh''own\r")
    first.until(b"shown\r\n")
    # a second reader gets the last screen, and both what comes then
    second = terminal("console", "b")
    second.until(b"shown\r\n")
    second.type(b"echo to-bo''th\r")
    first.until(b"to-both\r\n")
    second.until(b"to-both\r\n")
    first.type(b"\x1d")
    assert first.end() == 0 and b"b goes on" in first.screen
    second.type(b"echo still-he''re\r")
    second.until(b"still-here\r\n")
    second.type(b"\x1d")
    assert second.end() == 0
    assert net.nodes["b"].status()["state"] == "running"
    assert "c is not running" in net.run("console", "c", expect=4).err


def test_console_without_terminal(net):
    with net.popen("console", "b", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdin.write(b"echo pi''ped\n")
        child.stdin.close()
        got = b""
        while b"piped\r\n" not in got:
            got += os.read(child.stdout.fileno(), 65536)
        child.kill()


# --- logs

def test_logs(net, terminal):
    whole = net.run("logs", "a", expect=0)
    assert guests.READY in whole.out and "Linux version" in whole.out
    assert whole.out_bytes == net.nodes["a"].log.read_bytes()
    assert len(net.run("logs", "-n", "2", "a", expect=0).out.splitlines()) == 2
    assert "a: " in net.run("logs", "a", "b", expect=0).out
    assert "c has no log" in net.run("logs", "c", expect=4).err
    assert "is not a number" in net.run("logs", "-n", "x", "a", expect=2).err


def write_console(net, host, data):
    net.run("exec", host, "sh", "-c", "cat >/dev/ttyS0", stdin=data, expect=0)


def test_logs_follow_and_are_harmless(net, terminal):
    follow = terminal("logs", "-f", "-n", "1", "a")
    raw = terminal("logs", "-f", "--raw", "-n", "1", "a")
    time.sleep(0.3)
    write_console(net, "a", b"colour \x1b[31mred\x1b[0m \x1b]0;title\x07\x9b2J end\n")
    assert b"\\x1b]0;title\\x07\\x9b2J end" in follow.until(b" end\r\n") + b" end"
    assert b"\x1b]0;title" in raw.until(b" end\r")
    write_console(net, "a", b"more\n")
    follow.until(b"more\r\n")
    # a log that is full begins anew, and nothing is lost
    log = net.nodes["a"].log
    log.rename(f"{log}.1")
    log.write_bytes(b"from the new file\n")
    follow.until(b"from the new file\r\n")
    os.replace(f"{log}.1", log)


# --- cp

def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("host", ["a", "q"])
def test_copy_of_files(net, tmp_path, host):
    """By the transfer folder (UML), and as a stream (QEMU; this small guest has no virtio port but a serial
    line, which is slow in a translator)."""
    size = len(BIG) if host == "a" else 70_001
    (tmp_path / "file").write_bytes(BIG[:size])
    (tmp_path / "file").chmod(0o741)
    net.run("cp", tmp_path / "file", f"{host}:/tmp/copied", expect=0, timeout=120)
    assert net.run("exec", host, "sha256sum", "/tmp/copied",
                   expect=0).out.split()[0] == hashlib.sha256(BIG[:size]).hexdigest()
    assert net.run("exec", host, "stat", "-c", "%a %U", "/tmp/copied", expect=0).out == "741 root\n"
    net.run("cp", f"{host}:/tmp/copied", tmp_path / "back", expect=0, timeout=120)
    assert checksum(tmp_path / "back") == checksum(tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "back").stat().st_mode) == 0o741
    # into folders, by the name
    net.run("cp", tmp_path / "file", f"{host}:/root", expect=0, timeout=120)
    net.run("exec", host, "test", "-f", "/root/file", expect=0)
    (tmp_path / "in").mkdir()
    net.run("cp", f"{host}:/etc/fstab", f"{host}:etc/inittab", tmp_path / "in", expect=0)
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["fstab", "inittab"]
    if host == "a":
        assert not list((net.data / "hosts/a/transfer").iterdir())


def test_rates(net, tmp_path):
    """What was measured is printed; the bounds only find what is broken."""
    def seconds(*args, **options):
        start = time.monotonic()
        net.run("cp", *args, expect=0, timeout=120, **options)
        return time.monotonic() - start
    big, back = tmp_path / "big", tmp_path / "back"
    for way, host, size, least in (("transfer folder", "a", 4 * len(BIG), 5),
                                   ("QEMU's line", "q", 100_000, 0.001)):
        big.write_bytes((4 * BIG)[:size])
        times = seconds(big, f"{host}:/tmp/rate"), seconds(f"{host}:/tmp/rate", back)
        assert checksum(back) == checksum(big)
        net.run("exec", host, "rm", "/tmp/rate", expect=0)
        rates = [size / 1e6 / spent for spent in times]
        print(f"{way}: {rates[0]:.1f} MB/s there, {rates[1]:.1f} MB/s back")
        assert min(rates) > least
    spent = seconds("-", "a:/tmp/rate", stdin=BIG[:1_000_000])
    print(f"serial line: {1 / spent:.2f} MB/s there")
    times = []
    for _ in range(20):
        start = time.monotonic()
        net.run("exec", "a", "true", expect=0)
        times.append(time.monotonic() - start)
    print(f"exec true: {sorted(times)[10] * 1000:.0f} ms")


def test_copy_by_standard_streams(net):
    net.run("cp", "-", "a:/tmp/typed", stdin=b"from here\0", expect=0)
    assert net.run("cp", "a:/tmp/typed", "-", expect=0).out_bytes == b"from here\0"
    assert net.run("cp", "a:/proc/version", "-", expect=0).out.startswith("Linux")
    assert "neither" in net.run("cp", "/etc/fstab", "/tmp", expect=2).err


def test_copy_between_guests(net, tmp_path):
    (tmp_path / "file").write_bytes(BIG[:70_000])
    net.run("cp", tmp_path / "file", "a:/tmp/passed", expect=0)
    for source, target in (("a:/tmp/passed", "b:/tmp/"), ("b:/tmp/passed", "q:/tmp/"),
                           ("q:/tmp/passed", "a:/tmp/returned")):
        net.run("cp", source, target, expect=0, timeout=120)
    out = net.run("exec", "a", "sha256sum", "/tmp/returned", expect=0).out
    assert out.split()[0] == checksum(tmp_path / "file")


def test_errors_of_copies(net, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "No such file" in net.run("cp", "a:/nosuch", tmp_path, expect=1).err
    assert "-r copies it" in net.run("cp", "a:/etc", tmp_path, expect=1).err
    assert "-r copies it" in net.run("cp", tmp_path, "a:/tmp/", expect=1).err
    assert "Not a directory" in net.run("cp", "a:/etc/fstab", f"{tmp_path}/nosuch/", expect=1).err
    net.run("cp", "a:/etc/fstab", f"{tmp_path}/nosuch/file", expect=1)
    net.run("cp", tmp_path / "file", "a:/nosuch/file", expect=1)
    assert "c is not running" in net.run("cp", tmp_path / "file", "c:/", expect=4).err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]
    # what is no file keeps its place
    os.mkfifo(tmp_path / "fifo")
    net.run("cp", "a:/etc/fstab", tmp_path / "fifo", expect=1)
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_copy_of_trees(net, tmp_path):
    tree = tmp_path / "tree"
    (tree / "sub/empty").mkdir(parents=True)
    (tree / "file").write_bytes(b"content")
    (tree / "file").chmod(0o604)
    (tree / "sub/big").write_bytes(BIG[:100_000])
    (tree / "link").symlink_to("../outside")
    odd = os.fsencode(tree) + b"/odd \xff\n\x1b[31m'\""
    with open(odd, "wb") as file:
        file.write(b"odd")
    (tree / "sub/closed").mkdir()
    (tree / "sub/closed/in").write_text("in")
    (tree / "sub/closed").chmod(0o500)
    net.run("cp", "-r", tree, "a:/tmp/", expect=0)
    net.run("cp", "-r", "a:/tmp/tree", tmp_path / "back", expect=0)

    def look(top):
        found = {}
        for folder, folders, files in os.walk(os.fsencode(top)):
            for name in folders + files:
                path = os.path.join(folder, name)
                st = os.lstat(path)
                content = os.readlink(path) if stat.S_ISLNK(st.st_mode) else (
                    open(path, "rb").read() if stat.S_ISREG(st.st_mode) else None)
                found[os.path.relpath(path, os.fsencode(top))] = (stat.S_IFMT(st.st_mode), content, (
                    None if stat.S_ISLNK(st.st_mode) else stat.S_IMODE(st.st_mode)))
        return found
    assert look(tmp_path / "back") == look(tree)
    # into what is there already: below it, as cp does
    net.run("cp", "-r", "a:/tmp/tree", tmp_path / "back", expect=0)
    assert look(tmp_path / "back/tree") == look(tree)
    # and from one guest to another
    net.run("cp", "-r", "a:/tmp/tree", "b:/tmp/trees", expect=0)
    # what is in a folder, and not the folder
    (tmp_path / "third").mkdir()
    net.run("cp", "-r", "b:/tmp/trees/.", tmp_path / "third", expect=0)
    assert look(tmp_path / "third") == look(tree)


# --- ports

def test_connect_needs_no_network(net):
    """A TCP port of a guest without any network card, both ways and both ends."""
    net.run("exec", "a", "sh", "-c", "ip link set lo up; (nc -l -p 77 -e tr a-z A-Z >/dev/null 2>&1 &)",
            expect=0)
    call = {"execute": "kmln-port", "arguments": {"port": 77}}
    machines.wait_for(lambda: net.nodes["a"].call(do="call", **call).get("return") is not None, "a port")
    run = None

    def connects():
        nonlocal run
        run = net.run("_connect", "a", "77", stdin=b"to the guest" * 10_000)
        return run.status == 0
    machines.wait_for(connects, "a connection")
    assert run.out_bytes == b"TO THE GUEST" * 10_000
    assert "refused" in net.run("_connect", "a", "78", expect=1).err
    assert "not the number" in net.run("_connect", "a", "x", expect=2).err


def test_ssh_config(net):
    ssh = runner.need_program("ssh", "openssh-client")
    config = net.home / "ssh_config"
    config.write_text(net.run("ssh-config", "-l", "ada", "a", "b", expect=0).out)
    for host in "ab":
        seen = runner.run([ssh, "-F", config, "-G", f"{host}.net"], expect=0).out
        assert f"hostkeyalias {host}.net\n" in seen and "user ada\n" in seen
        assert f"userknownhostsfile {net.data}/known_hosts\n" in seen
        assert f"_connect -p net {host} 22" in seen
    assert net.run("ssh-config", expect=0).out.count("Host ") == 4
    assert "c is not running" in net.run("ssh", "c", expect=125).err
    # without ssh
    run = net.run("ssh", "a", env={"PATH": "/nonexistent"}, expect=125)
    assert "openssh-client" in run.err


def put_dropbear(net, host, place):
    """A small ssh server, with all that it is linked against, into a running guest."""
    for name in ("dropbear-bin", "libtomcrypt1", "libtommath1", "libgmp10"):
        try:
            deb = guests.package(name)
        except guests.Unavailable as lack:
            runner.lacking(str(lack), lack.package)
        runner.run(["dpkg-deb", "-x", deb, place], expect=0)
    program = place / "usr/sbin/dropbear"
    found = runner.run(["ldd", program], env={"LD_LIBRARY_PATH": place / "usr/lib/x86_64-linux-gnu"}, expect=0).out
    libraries = re.findall(r"(/\S+) \(0x", found)
    loader = next(path for path in libraries if "ld-linux" in path)
    net.run("exec", host, "mkdir", "-p", "/ssh", "/lib64", "/root/.ssh", "/etc/dropbear", expect=0)
    net.run("cp", program, *(path for path in libraries if path != loader), f"{host}:/ssh", expect=0)
    net.run("cp", loader, f"{host}:{loader}", expect=0)


@pytest.mark.network
def test_a_login_by_ssh(net, tmp_path):
    """With a key, by the agent's line: the guest has no network."""
    for program in ("ssh", "ssh-keygen"):
        runner.need_program(program, "openssh-client")
    put_dropbear(net, "a", tmp_path / "dropbear")
    key = tmp_path / "key"
    runner.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], expect=0)
    net.run("cp", f"{key}.pub", "a:/root/.ssh/authorized_keys", expect=0)
    net.run("exec", "a", "sh", "-c", "chmod 700 /root /root/.ssh; ip link set lo up; "
            "LD_LIBRARY_PATH=/ssh /ssh/dropbear -R -p 127.0.0.1:22", expect=0)
    words = ["ssh", "a", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    run = net.run(*words, "echo out; cat; echo err >&2; exit 7", stdin=b"input", expect=7)
    assert run.out == "out\ninput" and "err\n" in run.err
    known = (net.data / "known_hosts").read_text()
    assert known.startswith("a.net ")
    assert net.run(*words, "hostname", expect=0).out == net.run("exec", "a", "hostname", expect=0).out
    # another key than the one that was seen
    (net.data / "known_hosts").write_text(f"a.net {Path(f'{key}.pub').read_text()}")
    net.run(*words, "true", expect=255)
    (net.data / "known_hosts").unlink()


# --- completion

def test_completion_of_hosts(net):
    def complete(*words):
        script = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kmln
                    printf "%s\\n" "${COMPREPLY[@]}" """
        result = runner.run(["bash", "--norc", "-uc", script, "bash", runner.BUILD / "completions/kmln.bash",
                             runner.BUILD / "kmln", *words], expect=0, env={"KMLN_HOME": net.home},
                            cwd=net.home / "data")
        assert not result.err, result
        return set(result.out.split())
    assert complete("exec", "-p", "net", "") == {"a", "b", "c", "q"}
    assert complete("console", "-p", "net", "a") == {"a"}
    assert complete("logs", "-f", "--project", "=", "net", "c") == {"c"}
    assert complete("exec", "-p", "nosuch", "") == set()
    # the project of the folder above
    assert complete("ssh", "") == {"a", "b", "c", "q"}
    assert complete("cp", "-p", "net", "q") == {"q:"}
