# SPDX-License-Identifier: GPL-2.0-or-later
"""kmln boot with real machines: User-Mode Linux in seconds, QEMU's translator with a kernel."""

import hashlib
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest

import guests
import machines
import runner
from runner import BUILD

pytestmark = pytest.mark.boot


@pytest.fixture
def image(guest, tmp_path):
    runner.need_program("linux.uml", "user-mode-linux")
    return guests.copy(guest("busybox"), tmp_path / "guest.img")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_dry_run(kmln, image):
    """The whole text, with what depends on the host taken out."""
    before = digest(image)
    out = kmln("boot", "--on", "uml", "--memory", "128M", "--until", "login: $", "--send", "root",
               "--dry-run", image, expect=0).out
    out = re.sub(r" \\\n +", " ", out)
    out = re.sub(r"--symlink (?!/)\S+ \S+ |--ro-bind (/s?bin|/lib\w*) \1 |--run (/s?bin|/lib\w*) "
                 r"|--remount-ro /dev/\w+ ", "", out)
    # who owns the host's devices gets no /dev/null of theirs
    out = out.replace("--symlink /kmln/run/null /dev/null", "--dev-bind /dev/null /dev/null")
    out = out.replace("--new /kmln/run/null", "--write /dev/null")
    for path, name in ((image, "IMAGE"), (BUILD / "kmln", "KMLN"), ("/usr/bin/bwrap", "BWRAP")):
        out = out.replace(os.fspath(path), name)
    golden = runner.ROOT / "tests/boot/golden/uml.txt"
    if os.environ.get("KMLN_GOLDEN") == "write":
        golden.write_text(out)
    assert out == golden.read_text()
    assert digest(image) == before


def test_script_and_power_off(kmln, image):
    run = kmln("boot", "--on", "uml", image, "--until", f"^{guests.READY}", "--until", "# $",
               "--send", "echo a$((40+2))b > /answer; cat /answer", "--until", "^a42b$",
               "--send", "poweroff", "--timeout", "60", expect=0)
    assert "a42b" in run.out and "System halted" in run.out
    # what the guest wrote is there when it runs again
    again = kmln("boot", "--on", "uml", image, "--until", guests.READY, "--send", "cat /answer",
                 "--until", "^a42b$", "--timeout", "60", expect=0)
    assert "System halted" not in again.out


def test_auto_says_what_it_chose(kmln, image):
    run = kmln("boot", image, "--snapshot", "--until", guests.READY, "--timeout", "60", expect=0)
    assert re.search(r"^kmln: on uml \(not kvm: .+\)$", run.err, re.M), run


def test_snapshot_on_uml(kmln, image):
    before = digest(image)
    script = ("--until", guests.READY, "--send", "echo changed > /new; sync; cat /new",
              "--until", "^changed", "--timeout", "60")
    kmln("boot", "--on", "uml", "--snapshot", image, *script, expect=0)
    assert digest(image) == before
    kmln("boot", "--on", "uml", image, *script, expect=0)
    assert digest(image) != before, "without --snapshot the same script must change the image"


def test_read_only_image_needs_snapshot(kmln, ordinary_user, image):
    own = ordinary_user.give(image)
    own.chmod(0o444)
    run = kmln("boot", "--on", "uml", own, "--until", guests.READY, user=ordinary_user, expect=1)
    assert "--snapshot" in run.err
    kmln("boot", "--on", "uml", own, "--snapshot", "--until", guests.READY, "--timeout", "60",
         user=ordinary_user, expect=0)


def test_partition(kmln, image, tmp_path):
    disk = guests.partitioned(image, tmp_path / "disk.img")
    kmln("boot", "--on", "uml", disk, "--until", guests.READY, "--send", "cat /proc/cmdline",
         "--until", "root=/dev/ubda1", "--timeout", "60", expect=0)


def test_time_out(kmln, image):
    run = kmln("boot", "--on", "uml", image, "--until", "never said", "--timeout", "3", expect=1)
    assert "'never said' did not appear within 3 seconds" in run.err
    assert guests.READY in run.err, "the last lines of the console are repeated"
    assert 2.5 < run.seconds < 10


def test_panic(kmln, image):
    run = kmln("boot", "--on", "uml", image, "--append", "root=/dev/ubdz", "--until", "never said",
               "--timeout", "60", expect=1)
    assert "Kernel panic - not syncing: VFS" in run.err
    assert run.seconds < 30


def test_end_before_the_pattern(kmln, image):
    run = kmln("boot", "--on", "uml", image, "--until", guests.READY, "--send", "poweroff",
               "--until", "never said", "--timeout", "60", expect=1)
    assert "ended before 'never said' appeared" in run.err


@pytest.mark.parametrize("bad", [("--until", "a("), ("--memory", "1K", "--until", "x"),
                                 ("--kernel", "/etc/hostname", "--until", "x")])
def test_wrong_command_line(kmln, image, bad):
    run = kmln("boot", "--on", "uml", image, *bad, expect=2)
    assert not run.out, "no machine may have been started"


def test_no_image(kmln, tmp_path):
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 64)
    kmln("boot", tmp_path / "noise", expect=3)
    kmln("boot", tmp_path / "missing", expect=1)


def test_odd_bytes_in_the_path(kmln, image, tmp_path):
    odd = tmp_path / "a,b:c\n$(touch x) 'q\".img"
    image.rename(odd)
    for walls in ((), ("--unconfined",)):
        kmln("boot", "--on", "uml", *walls, odd, "--until", guests.READY, "--timeout", "60",
             expect=0)


def start(image, out, *options):
    """kmln in the background, its console in the file `out`."""
    return subprocess.Popen([BUILD / "kmln", "boot", "--on", "uml", image, *options], stdin=-3,
                            stdout=out.open("wb"), stderr=subprocess.STDOUT,
                            env={**os.environ, **runner.sanitizer_env(), "TMPDIR": str(out.parent)})


@pytest.mark.parametrize("walls", [(), ("--unconfined",)])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_is_left(image, tmp_path, walls, number):
    out = tmp_path / "out"
    child = start(image, out, "--until", "never said", *walls)
    try:
        machines.wait_for(machines.ready(out), "boot")
        below = machines.descendants(child.pid)
        assert len(below) >= 4, below
        assert sorted(machines.left_over(below, 0)) == sorted(below), "they do run now"
        assert len(list(tmp_path.glob("kmln.*"))) == 1, "its private folder"
    finally:
        child.send_signal(number)
        status = child.wait(10)
    assert machines.left_over(below) == []
    assert list(tmp_path.glob("kmln.*")) == []
    assert status == (-9 if number == signal.SIGKILL else 1)


@pytest.mark.parametrize("platform", ["uml", "qemu"])
def test_image_in_use(kmln, image, tmp_path, platform):
    """Refused by kmln's own look and, where the image is taken after that, by the machine."""
    out = tmp_path / "out"
    child = start(image, out, "--until", "never said")
    kernel = ("--kernel", "/dev/null") if platform == "qemu" else ()
    try:
        machines.wait_for(machines.ready(out), "boot")
        run = kmln("boot", "--on", platform, *kernel, image, "--until", "x", "--timeout", "20",
                   expect=1)
        assert "in use by another machine" in run.err and str(image) in run.err
    finally:
        below = machines.descendants(child.pid)
        child.kill()
        child.wait()
    # and it is free again
    assert machines.left_over(below) == []
    kmln("boot", "--on", "uml", image, "--until", guests.READY, "--timeout", "60", expect=0)


def test_no_kernel_is_left(kmln, image, guest, tmp_path):
    """A kernel from beside the image lies in a folder of its own, which goes even after kill -9."""
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    kmln("kernel", "add", guest("kernel"), expect=0)
    own = tmp_path / "own"
    own.mkdir()
    child = subprocess.Popen([BUILD / "kmln", "boot", "--on", "qemu", "--snapshot", image, "--until",
                              "never said"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL,
                             env={**os.environ, **runner.sanitizer_env(), "TMPDIR": str(own),
                                  "KMLN_HOME": str(tmp_path / "kmln-home")})
    try:
        machines.wait_for(lambda: len(list(own.glob("kmln.*"))) == 2 and
                          len(machines.descendants(child.pid)) >= 4, "boot")
        below = machines.descendants(child.pid)
    finally:
        child.kill()
        child.wait(10)
    assert machines.left_over(below) == []
    machines.wait_for(lambda: not list(own.iterdir()), "the keeper", 10)


class Terminal:
    """kmln at a terminal of its own."""

    def __init__(self, *argv):
        self.master, terminal = pty.openpty()
        self.before = termios.tcgetattr(terminal)
        self.terminal = terminal
        self.seen = b""
        self.child = subprocess.Popen(
            [BUILD / "kmln", *map(os.fspath, argv)], stdin=terminal, stdout=terminal,
            stderr=terminal, start_new_session=True, env={**os.environ, **runner.sanitizer_env()},
            preexec_fn=lambda: os.close(os.open(os.ttyname(terminal), os.O_RDWR)))

    def until(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, (text, self.seen[-500:])
            if select.select([self.master], [], [], 0.2)[0]:
                self.seen += os.read(self.master, 65536)

    def type(self, data):
        while data:
            if select.select([], [self.master], [], 0.05)[1]:
                data = data[os.write(self.master, data[:256]):]
            while select.select([self.master], [], [], 0)[0]:
                self.seen += os.read(self.master, 65536)

    def raw(self):
        return termios.tcgetattr(self.terminal)[3] & termios.ICANON == 0

    def restored(self):
        return termios.tcgetattr(self.terminal) == self.before

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.master)
        os.close(self.terminal)


@pytest.fixture
def terminal(image):
    it = Terminal("boot", "--on", "uml", "--snapshot", image)
    yield it
    it.close()


def test_terminal(terminal):
    terminal.until(guests.READY.encode())
    terminal.until(b"# ")
    assert terminal.raw()
    terminal.type(b"sleep 100\r")
    time.sleep(0.5)
    terminal.type(b"\x03echo $((6*7))is\r")
    terminal.until(b"42is")
    terminal.type(b"\x1d")
    assert terminal.child.wait(10) == 0
    assert terminal.restored()


def lines(count):
    return b"".join(b"%05d %s\n" % (i, b"x" * 60) for i in range(count))


def test_paste_at_a_prompt(terminal):
    terminal.until(b"# ")
    terminal.type(b"cat > /tmp/pasted << 'END'\r")
    text = lines(200)
    terminal.type(text.replace(b"\n", b"\r") + b"END\rsha256sum < /tmp/pasted\r")
    terminal.until(hashlib.sha256(text).hexdigest().encode(), 60)


def test_paste_to_a_program_that_sleeps(terminal):
    """More than the serial line bears unread: typed at once it would stop for ever."""
    terminal.until(b"# ")
    text = lines(75)
    terminal.type(b"sleep 5; cat > /tmp/pasted\r")
    terminal.type(text.replace(b"\n", b"\r"))
    terminal.until(b"00074 xxx", 60)
    terminal.type(b"\x04")
    time.sleep(1.5)
    terminal.type(b"sha256sum < /tmp/pasted\r")
    terminal.until(hashlib.sha256(text).hexdigest().encode())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_terminal_is_given_back(terminal, number):
    terminal.until(guests.READY.encode())
    assert terminal.raw()
    terminal.child.send_signal(number)
    assert terminal.child.wait(10) == 1
    assert terminal.restored()


def test_qemu(kmln, guest, image, tmp_path):
    runner.need_program("qemu-system-x86_64", "qemu-system-x86")
    kernel, initramfs = machines.qemu_kernel(guest("kernel"), tmp_path)
    qemu = ("boot", "--on", "qemu", image, "--kernel", kernel, "--initramfs", initramfs)
    before = digest(image)
    run = kmln(*qemu, "--snapshot", "--until", guests.READY, "--send",
               "echo changed > /new; sync; cat /new", "--until", "^changed", "--send",
               "poweroff -f", "--timeout", "120", timeout=130, expect=0)
    assert "cloud-amd64" in run.out
    assert digest(image) == before
    run = kmln(*qemu, "--append", "init=/nowhere rdinit=/nowhere root=/dev/nowhere", "--until",
               "never said", "--timeout", "120", timeout=130, expect=1)
    assert "Kernel panic - not syncing" in run.err


def test_qemu_finds_a_kernel_or_says_so(kmln, image):
    """A bare filesystem without a kernel in it: one of the host's, or a refusal."""
    run = kmln("boot", "--on", "qemu", "--dry-run", image, expect={0, 5})
    if run.status == 0:
        assert " -kernel /kmln/kernel" in re.sub(r" \\\n +", " ", run.out)
    else:
        assert "--kernel" in run.err and not run.out
