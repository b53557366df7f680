# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes whose root is hostile, and mishaps of the host: what reaches nothing, what stays bounded, what
is refused with words that help. Real User-Mode Linux and QEMU guests."""

import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

import alive
import guests
import machines
import nodes
import runner

pytestmark = pytest.mark.boot

TWO = """global {{ project {name} }}
switch lan {{
	net 10.8.0.0/24
	uplink nat
}}
host a {{
	platform uml
	memory 64M
	network eth0 {{ switch lan }}
}}
host {qemu} {{
	platform qemu
	memory 128M
	network eth0 {{ switch lan }}
}}
"""
UML = "global {{ project {name} }}\nhost a {{\n\tplatform uml\n\tmemory 64M\n}}\n"
SECRET = "kmln-secret-of-the-user"


@pytest.fixture
def live(home):
    """home, whose projects are brought down at the end and leave nothing."""
    yield home
    for project in sorted(os.listdir(home.path / "run")) if (home.path / "run").exists() else ():
        home.kmln("down", "-p", project, "--timeout", "5", expect={0, 4})
    left = alive.nothing_left(home.path)
    assert not left, left


def up(home, text, *options, **run):
    return home.kmln("up", "-q", "-f", home.write(text), *options, **{"expect": 0, **run})


def sh(home, host, script, *options, expect=0, project="p", **run):
    return home.kmln("exec", *options, host, "-p", project, "--", "sh", "-c", script, expect=expect, **run)


def status(home, project="p", expect=frozenset({0, 4})):
    run = home.kmln("status", "-p", project, "--format", "json", expect=expect)
    return {f"{node['role']}-{node['name']}": node for node in json.loads(run.out)["nodes"]}, run.seconds


def rss(pid, which="VmRSS"):
    """KiB."""
    return int(re.search(which + r":\s+(\d+)", open(f"/proc/{pid}/status").read())[1])


# --- hostile nodes

def test_root_in_a_guest_reaches_nothing_of_the_host(live):
    """Files by hostfs, other disks, control sockets, loopback: of UML and of QEMU."""
    outside = live.folder / "outside"
    outside.write_text(SECRET)
    up(live, TWO.format(name="p", qemu="q"))
    (live.project() / "secret").write_text(SECRET)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    targets = [outside, live.path, live.project() / "secret", live.project() / "resolved.xml",
               live.disk("q"), live.path / "run/p/nodes/host-q/control", "/etc/shadow", "/root", "/home"]
    for target in targets:
        script = (f"mkdir -p /mnt; mount -t hostfs none /mnt -o '{target}' 2>&1; cat /mnt 2>/dev/null; ls -laR /mnt; "
                  f"cat /mnt/secret /mnt/outside; echo x >/mnt/written; umount /mnt; true")
        out = sh(live, "a", script).out
        assert SECRET not in out and "disk.qcow2" not in out and "root:" not in out, out
    # what its whole root shows has none of the user's paths in it
    out = sh(live, "a", f"mount -t hostfs none /mnt -o / 2>&1; ls /mnt/usr; ls /mnt /mnt/kmln; find /mnt /mnt/kmln -xdev -path /mnt/usr -prune -o -name '*.qcow2' -o -name "
             f"control; cat /mnt{outside}; cat /mnt{live.project()}/secret; ls /mnt{live.path} /mnt/root /mnt/home; "
             "echo x >/mnt/usr/written; rm -rf /mnt/kmln/served; umount /mnt; true").out
    assert SECRET not in out and "qcow2" not in out, out
    assert {"bin", "share"} <= set(out.split())  # it looks at the host, and there is nothing else to see
    assert not os.path.exists("/usr/written")
    assert not list(live.path.rglob("written")) and not (live.folder / "written").exists()
    # the user's loopback is closed: by its address, by the gateway's, from both
    for host in ("a", "q"):
        for address in ("127.0.0.1", "10.8.0.254"):
            run = sh(live, host, f"echo hello | timeout 3 nc {address} {port}; true")
            assert "not found" not in run.err
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()
    seen, _ = status(live)
    assert all(seen[f"host-{host}"]["ready"] for host in "aq"), seen


def test_console_flood_is_bounded(live):
    """A guest that writes all the time: its log ends somewhere, its keeper stays small, others are
    answered."""
    up(live, TWO.format(name="p", qemu="q"))
    for host in ("a", "q"):
        sh(live, host, "(while :; do head -c 1000000 /dev/urandom; yes; done >/dev/console 2>&1) >/dev/null 2>&1 </dev/null &")
    keepers = alive.keepers(live.path)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        seen, seconds = status(live)
        assert seconds < 5 and all(seen[f"host-{host}"]["ready"] for host in "aq"), seen
        assert sh(live, "q", "echo here", timeout=20).out == "here\n"
        for name in ("host-a", "host-q"):
            assert runner.fits(rss(keepers[name]), 8192)
            size = sum(path.stat().st_size for path in (live.project() / "logs").glob(f"{name}.log*"))
            assert size < 9 << 20, size
        time.sleep(0.3)
    # and it is stopped all the same
    assert live.kmln("down", "-p", "p", "--timeout", "5", expect=0, timeout=60).seconds < 40


@pytest.mark.slow
def test_agent_that_says_garbage(live):
    """Bytes that are no frames, and half frames, for some seconds; an agent that starts again is heard."""
    up(live, UML.format(name="p"))
    sh(live, "a", "cp /usr/lib/kmln/kmln-agent /tmp/a; "
       "cat >/tmp/flood <<'X'\n#!/bin/sh\nend=$(($(cut -d. -f1 /proc/uptime)+4))\n"
       "while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do\n"
       "head -c 20000 /dev/urandom; printf 'K\\001\\377\\077\\001\\000\\000\\000half'\n"
       "printf '\\377{\"event\": \"KMLN_HELLO\", \"data\": {\"version\": 1, \"boot\": 7}}\\n'; printf '{\"event\"'\n"
       "done >/dev/ttyS1\nX\nchmod +x /tmp/flood\n"
       "(while kill -9 $(pidof kmln-agent); do sleep 0.1; done; true) >/dev/null 2>&1; "
       "true", expect={0, 125, 137}, timeout=30)
    keeper = alive.keepers(live.path)["host-a"]
    machines.wait_for(lambda: status(live)[0]["host-a"]["ready"], "the agent again", 60)
    # its killers and the flood in one go, without any help of the agent
    sh(live, "a", "(sleep 0.3; for i in 1 2 3 4 5 6 7 8; do kill -STOP $(pidof kmln-agent); sleep 0.05; done; "
       "/tmp/flood; kill -9 $(pidof kmln-agent)) </dev/null >/dev/null 2>&1 &", expect={0, 125}, timeout=30)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        _, seconds = status(live)
        assert seconds < 5
        assert runner.fits(rss(keeper), 8192)
        time.sleep(0.3)
    machines.wait_for(lambda: live.kmln("exec", "--timeout", "5", "a", "-p", "p", "--", "true", timeout=30).status == 0,
                      "the agent again", 60)


# In the agent's place, on both lines of a QEMU guest: by turns kmln's agent, qemu-ga and nobody, and never for
# long. After SECONDS it makes way for the true one, within a frame.
FALSE_AGENT = r"""#!/bin/sh
now() { cut -d. -f1 /proc/uptime; }
# the number in a question
number() { printf %s "${1##*: }" | tr -dc 0-9; }
# head_of TYPE SIZE STREAM, in octal bytes
head_of() { printf "K\\$1\\$2\\$3\\0\\0\\0"; }
as_kmln() {
	printf '\377{"event": "KMLN_HELLO", "data": {"version": 1, "boot": "x"}}\n'
	read -r -t 3 line <&3
	printf '\377{"return": {"id": %s}}\n' "$(number "$line")"
}
as_qga() {
	synced=
	while read -r -t 8 line <&3; do
		case $line in
		*guest-sync*) synced=1; printf '\377{"return": %s}\n' "$(number "$line")" ;;
		*kmln-frames*) [ $synced ] && break ;;
		esac
	done
	printf '{"error": {"class": "CommandNotFound"}, "id": %s}\n' "$(number "$line")"
}
end=$(($(now) + SECONDS))
exec 3<>$(echo /dev/vport*)
cat /dev/urandom >/dev/ttyS1 &
while [ $(now) -lt $end ]; do
	head -c 200000 /dev/urandom
	as_kmln; sleep 1; head_of 002 '377\377' 001; head -c 100000 /dev/zero
	as_kmln; for i in 1 2 3 4 5 6 7 8 9; do head_of 002 '000\100' 011; head -c 16384 /dev/zero; done
	head_of 010 '004\000' 000; printf ABCD
	as_kmln; head_of 007 '000\000' 001; head_of 001 '002\000' 001; printf '{}'
	as_qga; sleep 1; head -c 9000000 /dev/zero; printf '\n{"return": '; yes '[' | tr -d '\n' | head -c 1000000; echo
	for i in 1 2 3 4 5 6 7 8 9; do printf '\377{"event": "KMLN_HELLO"}\n{"event"'; done
done >&3
kill $!
mv /root/agent /usr/lib/kmln/kmln-agent
as_kmln >&3
head_of 002 '377\077' 001 >&3
"""


def false_agent(live, host, driver, seconds):
    """Puts it in the agent's place, where init starts it, once the agent has the virtio port."""
    sh(live, host, f"cat >/root/{driver.name}; test -e /sys/module/virtio_console || insmod /root/{driver.name}",
       stdin=driver.read_bytes())
    machines.wait_for(lambda: "vport" in sh(live, host, "ls -l /proc/$(pidof kmln-agent)/fd", expect={0, 125}).out,
                      "the virtio port", 60)
    script = FALSE_AGENT.replace("SECONDS", str(seconds))
    sh(live, host, "cat >/tmp/false && chmod +x /tmp/false && mv /usr/lib/kmln/kmln-agent /root/agent && "
       "mv /tmp/false /usr/lib/kmln/kmln-agent", stdin=script)
    sh(live, host, "kill -9 $(pidof kmln-agent)", expect=125)


@pytest.mark.slow
def test_false_agent_in_qemu(live, kit_home):
    """What root can write on the lines of a QEMU guest's agent: its keeper stays small, answers all else, hears
    the true agent again, and ends."""
    up(live, "global { project p }\nhost q {\n\tplatform qemu\n\tmemory 128M\n}\n")
    keeper = alive.keepers(live.path)["host-q"]
    # the small kernel of these guests lacks it
    driver = next((kit_home / "cache/kernels").rglob("virtio_console.ko*"))
    false_agent(live, "q", driver, 30)
    seen, end = set(), time.monotonic() + 60
    while len(seen) < 3 or time.monotonic() < end - 40:
        found, seconds = status(live)
        assert seconds < 5 and found["host-q"]["state"] in ("starting", "ready"), found
        seen.add(found["host-q"]["agent"])
        assert time.monotonic() < end, seen
    assert seen == {None, "kmln", "qemu-ga"}
    # the console is another line
    with subprocess.Popen([runner.BUILD / "kmln", "console", "q", "-p", "p"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env={**os.environ, **live.env, "PATH": runner.PATH}) as console:
        console.stdin.write(b"echo ty''ped\n")
        console.stdin.close()
        os.set_blocking(console.stdout.fileno(), False)
        said = b""

        def heard():
            nonlocal said
            said += console.stdout.read() or b""
            return b"typed\r\n" in said
        machines.wait_for(heard, "what was typed", 30)
        console.kill()
    machines.wait_for(lambda: live.kmln("exec", "--timeout", "5", "q", "-p", "p", "--", "true", timeout=30).status == 0,
                      "the true agent", 120)
    assert alive.keepers(live.path)["host-q"] == keeper
    assert runner.fits(rss(keeper, "VmHWM"), 16384)
    # and it can be stopped while that goes on
    for command in (("stop", "q"), ("down",)):
        false_agent(live, "q", driver, 600)
        machines.wait_for(lambda: status(live)[0]["host-q"]["agent"] is None, "the false agent", 30)
        live.kmln(*command, "-p", "p", "--timeout", "3", expect=0, timeout=60)
        assert not alive.keepers(live.path)
        if command[0] == "stop":
            live.kmln("start", "q", "-p", "p", expect=0)
    assert not alive.nothing_left(live.path)


@pytest.mark.slow
def test_agent_that_never_answers(live):
    up(live, TWO.format(name="p", qemu="q"))
    for host in ("a", "q"):
        sh(live, host, "(sleep 0.5; kill -STOP $(pidof kmln-agent)) </dev/null >/dev/null 2>&1 &")
    time.sleep(1.5)
    for host in ("a", "q"):
        run = live.kmln("exec", "--timeout", "2", host, "-p", "p", "--", "true", timeout=30)
        assert run.status == 125 and run.seconds < 15, run
    _, seconds = status(live)
    assert seconds < 6
    # nobody is there who could be asked to shut down
    assert live.kmln("down", "-p", "p", "--timeout", "3", expect=0, timeout=60).seconds < 40


def test_keeper_that_hangs(live):
    """One that is stopped: status says so at once, down ends it."""
    up(live, UML.format(name="p"))
    os.kill(alive.keepers(live.path)["host-a"], signal.SIGSTOP)
    for _ in range(3):
        seen, seconds = status(live)
        assert seen["host-a"]["state"] == "silent" and seconds < 6, seen
    assert live.kmln("exec", "--timeout", "2", "a", "-p", "p", "--", "true", timeout=30).status == 125
    live.kmln("down", "-p", "p", "--timeout", "2", expect=0, timeout=60)


def test_transfer_folder_has_traps(live):
    """Links, pipes and devices that the guest puts where files pass: nothing is followed, nobody waits."""
    outside = live.folder / "outside"
    outside.write_text(SECRET)
    up(live, UML.format(name="p"))
    sh(live, "a", f"cd /kmln/transfer && ln -s {outside} link; ln -s / root; mkfifo pipe; mkdir folder; "
       f"(while :; do for f in $(ls | grep -v -e link -e root -e pipe -e folder); do rm -f $f; ln -s {outside} $f || mkfifo $f; "
       "done; done) </dev/null >/dev/null 2>&1 &")
    big = live.folder / "big"
    big.write_bytes(random.Random(3).randbytes(3_000_000))
    got = live.folder / "got"
    for _ in range(3):
        run = live.kmln("cp", "-p", "p", big, "a:/root/big", timeout=60)
        again = live.kmln("cp", "-p", "p", "a:/root/big", got, timeout=60)
        # a guest may spoil its own copies; what kmln calls done came from there, and never from here
        assert not got.is_symlink()
        assert not got.exists() or SECRET.encode() not in got.read_bytes()
        assert max(run.seconds, again.seconds) < 40
    assert outside.read_text() == SECRET and stat.S_ISREG(outside.lstat().st_mode)
    # what is copied out is never what a link of the guest's leads to on the host
    sh(live, "a", f"ln -s {outside} /root/out; mkfifo /root/pipe; mkdir /root/tree; ln -s {outside} /root/tree/out; "
       "mkfifo /root/tree/pipe")
    for name in ("out", "pipe"):
        run = live.kmln("cp", "-p", "p", f"a:/root/{name}", live.folder / f"got-{name}", timeout=30)
        assert run.seconds < 20
        there = live.folder / f"got-{name}"
        assert not (there.is_file() and not there.is_symlink() and SECRET in there.read_text())
    live.kmln("cp", "-r", "-p", "p", "a:/root/tree", live.folder / "tree", timeout=30)
    copied = live.folder / "tree/out"
    assert not copied.exists() or copied.is_symlink()


# --- mishaps

def test_ctrl_c_leaves_machines_running(live):
    text = UML.format(name="p") + "host b {\n\tplatform uml\n\tmemory 64M\n\tafter a\n\tready port 9\n}\n"
    file = live.write(text)
    child = subprocess.Popen([runner.BUILD / "kmln", "up", "-f", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env={**os.environ, **live.env, "PATH": runner.PATH}, start_new_session=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    machines.wait_for(lambda: "host-b" in alive.keepers(live.path), "the second host", 60)
    os.kill(child.pid, signal.SIGINT)
    out = child.communicate(timeout=20)[0].decode()
    assert child.returncode == -signal.SIGINT and "go on running: a, b" in out, out
    assert {"host-a", "host-b"} <= set(alive.keepers(live.path))
    assert sh(live, "a", "echo here").out == "here\n"


def test_two_commands_at_once(live):
    file = live.write(TWO.format(name="p", qemu="b").replace("platform qemu", "platform uml"))
    results = [None] * 4

    def run(number):
        results[number] = live.kmln("up", "-f", file, timeout=100)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert result.status == 0 or re.search(r"process \d+|pid \d+", result.err), result
    assert results and any(result.status == 0 for result in results)
    seen, _ = status(live, expect=0)
    assert len(seen) == 4 and all(node["ready"] for node in seen.values()), seen
    # whoever holds it for long is named
    with open(live.project() / "lock", "rb+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        refused = live.kmln("stop", "a", "-p", "p", timeout=60)
        assert refused.status == 1 and str(os.getpid()) in refused.err, refused
        # looking needs no lock
        assert status(live, expect=0)[1] < 5


@pytest.mark.slow
def test_full_disk(live):
    """No room while it is built, and then while it runs: said so, and mended by room."""
    text = UML.format(name="p")
    file = live.write(text)
    script = (f"mount -t tmpfs -o size=300k none {live.path}/data/projects && "
              f"{runner.BUILD}/kmln build -f {file}; echo status $?; umount {live.path}/data/projects")
    live.projects.mkdir()
    done = runner.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script], env=live.env)
    assert "status 1" in done.out and "No space left" in done.err, done
    # a small one: it is built, then its guest fills it, and is asked again when there is room
    script = (f"mount -t tmpfs -o size=6m none {live.path}/data/projects; K={runner.BUILD}/kmln; cd {live.folder}; "
              f"$K up -q -f {file} || exit 1; "
              "$K exec a -p p -- sh -c 'dd if=/dev/urandom of=/root/big bs=64k count=200; sync' >&2; "
              "timeout 20 $K status -p p; echo status $?; mount -o remount,size=60m data; "
              f"mount -o remount,size=60m {live.path}/data/projects; "
              "timeout 60 $K down -p p --timeout 5; echo down $?; $K up -q -f p.kmln; echo up $?; "
              f"$K exec a -p p -- true; echo exec $?; $K down -p p; qemu-img check -q {live.disk()}; echo check $?")
    done = runner.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script], env=live.env, timeout=150)
    words = done.out.split()
    assert "up 0" in done.out and "exec 0" in done.out and "down 0" in done.out, done
    assert re.search(r"check [03]$", done.out.strip()) and "status" in words, done


@pytest.mark.slow
def test_image_that_vanished(live, guest):
    images = live.path / "data/images"
    images.unlink()
    images.mkdir()
    image = guests.copy(guest("busybox"), images / "own.img")
    text = UML.format(name="p").replace("platform uml", "platform uml\n\timage own")
    live.kmln("build", live.write(text), expect=0, timeout=100)
    image.unlink()
    # its copy is there
    up(live, text)
    assert sh(live, "a", "echo here").out == "here\n"
    live.kmln("down", "-p", "p", expect=0)
    up(live, text)
    live.kmln("down", "-p", "p", expect=0)
    # and not
    prepared = json.loads((live.project() / "hosts/a/built.json").read_text())["prepared"]
    os.rename(prepared, f"{prepared}.away")
    try:
        run = live.kmln("up", "-f", live.folder / "p.kmln", timeout=60)
        assert run.status in (1, 3, 5) and ("own" in run.err), run
    finally:
        os.rename(f"{prepared}.away", prepared)
    up(live, text)


def test_forwarded_port_in_use(live):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = TWO.format(name="p", qemu="b").replace("network eth0", f"forward {port}:22\n\tnetwork eth0", 1)
        run = up(live, text.replace("platform qemu", "platform uml"), expect={1, 4, 5})
        assert str(port) in run.err and "in use" in run.err, run
        assert str(port) in status(live)[0]["uplink-lan"]["why"]
    up(live, text.replace("platform qemu", "platform uml"))


def test_long_path(live):
    """Longer than a socket's address may be."""
    long = live.folder / ("long-" + "x" * 90) / ("folder-" + "y" * 90)
    long.parent.mkdir()
    os.rename(live.path, long)
    live.path, live.env, live.projects = long, {"KMLN_HOME": long}, long / "data/projects"
    up(live, TWO.format(name="p", qemu="q"))
    assert len(str(long)) > 180
    # each reaches the other through the switch
    address = next(a["address"].split("/")[0] for a in status(live)[0]["host-q"]["addresses"])
    assert sh(live, "a", f"ping -c 1 -W 5 {address}")
    live.kmln("down", "-p", "p", expect=0)


def test_stale_pid(live):
    """Whoever has the number of a process that is gone is not taken for it, nor ended: the lock says who
    lives."""
    up(live, UML.format(name="p"))
    keeper = alive.keepers(live.path)["host-a"]
    os.kill(keeper, signal.SIGKILL)
    assert not alive.settled(live.path)
    with subprocess.Popen(["sleep", "1000"]) as other:
        folder = live.path / "run/p/nodes/host-a"
        (folder / "pid").write_text(f"{other.pid}\n")
        (folder / "lock").write_text(f"{other.pid}\n")
        assert status(live)[0]["host-a"]["state"] == "failed"
        live.kmln("down", "-p", "p", expect=0)
        assert other.poll() is None
        other.kill()


@pytest.mark.slow
def test_two_users_do_not_meet(live, ordinary_user):
    """A project of the same name, of root's and of another's."""
    if os.geteuid() != 0:
        runner.lacking("two users need root")
    up(live, UML.format(name="p"))
    theirs = ordinary_user.home / "kmln"
    shutil.copytree(live.path / "cache/kernels", theirs / "cache/kernels", symlinks=True)
    (theirs / "data/images").mkdir(parents=True)
    guests.copy(live.path / "data/images/default.img", theirs / "data/images/default.img")
    for folder, _, names in os.walk(theirs):
        for name in [folder, *(os.path.join(folder, name) for name in names)]:
            os.lchown(name, ordinary_user.uid, ordinary_user.gid)
    os.chown(theirs / "cache", ordinary_user.uid, ordinary_user.gid)
    file = ordinary_user.give(live.folder / "p.kmln")
    call = live._kmln
    try:
        call("up", "-q", "-f", file, user=ordinary_user, expect=0, timeout=120)
        call("exec", "a", "-p", "p", "--", "sh", "-c", "echo theirs >/root/me", user=ordinary_user, expect=0)
        assert "me" not in sh(live, "a", "ls /root").out
        # neither sees nor reaches the other's
        for path in (live.path / "run/p/nodes/host-a/control", live.disk(), live.project() / "resolved.xml"):
            assert call("cat", path, "/etc/passwd", user=ordinary_user).status != 0
        refused = call("status", "-p", "p", user=ordinary_user, env={"KMLN_HOME": live.path})
        assert refused.status != 0 and "ready" not in refused.out, refused
        assert call("down", "-p", "p", user=ordinary_user, env={"KMLN_HOME": live.path}).status != 0
        call("down", "-p", "p", user=ordinary_user, expect=0)
        assert sh(live, "a", "echo here").out == "here\n"
    finally:
        call("down", "-p", "p", "--now", user=ordinary_user)


def test_secrets_are_the_users_alone(live):
    text = UML.format(name="p").replace("memory 64M", f"memory 64M\n\troot_passwd {SECRET}")
    file = live.write(text)
    # whatever the mask of whoever runs it
    runner.run(["sh", "-c", f"umask 0; exec {runner.BUILD}/kmln up -q -f {file}"], env=live.env, expect=0, timeout=100)
    seen = 0
    for base in (live.project(), live.path / "run"):
        for path in [base, *base.rglob("*")]:
            about = path.lstat()
            assert about.st_mode & 0o077 == 0 or stat.S_ISLNK(about.st_mode), (path, oct(about.st_mode))
            seen += stat.S_ISREG(about.st_mode) and SECRET.encode() in path.read_bytes()
    assert seen  # the copy of the project's file has it
    # and in no command line, which all can see
    for process in alive.processes(live.path).values():
        assert SECRET.encode() not in b" ".join(process.argv)


@pytest.mark.source
def test_no_clock_that_jumps():
    """What the life of a project waits for is measured by a clock that nobody sets. Ages of files, which
    outlive a boot, are not."""
    ages = {"guest-share.c"}
    found = {path.name for room in ("cluster", "node", "cli", "channel") for path in
             (runner.ROOT / "src" / room).glob("*.c")
             if re.search(r"CLOCK_REALTIME|\bgettimeofday\b|[^_a-z]time\(", path.read_text())}
    assert found == ages


@pytest.mark.slow
def test_clock_that_jumps(live):
    """kmln itself runs with a clock that is a year off, and stands years ahead the next time."""
    faketime = shutil.which("faketime")
    if not faketime:
        runner.lacking("faketime is not installed", "faketime")
    if b"__asan_init" in (runner.BUILD / "kmln").read_bytes():
        pytest.skip("libfaketime waits for itself where an address sanitizer is")
    file = live.write(UML.format(name="p"))
    for when in ("-1y", "+3y"):
        runner.run([faketime, "-f", when, runner.BUILD / "kmln", "up", "-q", "-f", file], env=live.env, expect=0,
                   timeout=100)
        assert status(live, expect=0)[0]["host-a"]["ready"]
