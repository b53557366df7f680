# SPDX-License-Identifier: GPL-2.0-or-later
"""VDE switches for tests, a port of one that a test itself holds, and a host's network in a namespace
of its own, in which nothing reaches the machine that runs the tests."""

import contextlib
import ctypes
import ipaddress
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import guests
import runner

OUTSIDE = Path(__file__).with_name("outside.py")


def end(process):
    """Ends a process that this test started, and waits for it."""
    if process.poll() is None:
        process.kill()
    process.wait()


@contextlib.contextmanager
def switch(folder, *options):
    """A running vde_switch; gives its process. It ends with its standard input at the latest."""
    program = runner.need_program("vde_switch", "vde-switch")
    process = subprocess.Popen([program, "-s", folder, *options], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        until = time.monotonic() + 10
        while not (Path(folder) / "ctl").exists():
            assert process.poll() is None and time.monotonic() < until, "vde_switch did not start"
            time.sleep(0.01)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(10)
        process.stdin.close()


class Host:
    """A host with a network of its own: loopback, and ADDRESS4 and ADDRESS6, which are not. Its list
    of name servers names 127.0.0.1. A program started by it sees the same files as all others."""

    ADDRESS4, ADDRESS6 = "192.0.2.1", "2001:db8:ffff::1"

    def __init__(self, folder):
        servers = Path(folder) / "resolv.conf"
        servers.write_text("nameserver 127.0.0.1\nnameserver ::1\n")
        script = (f"ip link set lo up && ip addr add {self.ADDRESS4}/32 dev lo && "
                  f"ip addr add {self.ADDRESS6}/128 dev lo nodad && "
                  f"mount --bind '{servers}' \"$(readlink -f /etc/resolv.conf)\" && "
                  "echo up && exec cat")
        runner.need_program("ip", "iproute2")
        self.keeper = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PATH": runner.PATH})
        if self.keeper.stdout.readline() != b"up\n":
            words = self.keeper.stderr.read().decode().strip()
            end(self.keeper)
            runner.lacking(f"no network namespace of our own: {words}")
        self.inside = ["nsenter", "--preserve-credentials", "-U", "-n", "-m", "-t", str(self.keeper.pid)]
        self.started = []

    def start(self, argv, **options):
        """A process in this host."""
        process = subprocess.Popen([*self.inside, *map(str, argv)], start_new_session=True, **options)
        self.started.append(process)
        return process

    def serve(self, *services):
        """Starts services (see outside.py) and returns when they answer."""
        process = self.start([sys.executable, OUTSIDE, *services], stdout=subprocess.PIPE,
                             stdin=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n", "outside.py did not start"
        return process

    def reached(self, process):
        """Ends what serve() started; gives how each service was reached, "tcp 127.0.0.1 7001" each."""
        process.stdin.close()
        words = process.stdout.read().decode().splitlines()
        process.wait(10)
        return words

    def ask(self, kind, address, port, words="hello", timeout=5):
        """What a server answers to a process of this host; None: nothing, or it refuses."""
        done = subprocess.run([*self.inside, sys.executable, OUTSIDE, "ask", kind, address, str(port),
                               words, str(timeout)], capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else None

    def listeners(self, port):
        """The addresses that listen at this port, as /proc/net has them."""
        text = subprocess.run([*self.inside, "cat", "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp",
                               "/proc/net/udp6"], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in text.splitlines()]
        # a listening TCP socket is in state 0A, an unconnected UDP socket in 07
        return {row[1].rpartition(":")[0] for row in rows
                if row[1].endswith(f":{port:04X}") and row[3] in ("0A", "07")}

    def close(self):
        for process in self.started:
            end(process)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        self.keeper.stdin.close()
        self.keeper.wait(10)
        self.keeper.stdout.close()
        self.keeper.stderr.close()


# --- frames

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return ipaddress.ip_address(address).packed


def ip(source, target, protocol, body, **fields):
    """An IP packet, its checksum right. IPv4: `fragment` is the field of flags and offset."""
    if len(packed(source)) == 16:
        return struct.pack("!IHBB", 6 << 28, fields.get("length", len(body)), protocol,
                           fields.get("hops", 64)) + packed(source) + packed(target) + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, fields.get("length", 20 + len(body)), 1,
                       fields.get("fragment", 0), 64, protocol, 0) + packed(source) + packed(target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def _with_sum(source, target, protocol, body, at):
    pseudo = packed(source) + packed(target) + struct.pack("!II", len(body), protocol)
    return body[:at] + struct.pack("!H", checksum(pseudo + body) or 0xffff) + body[at + 2:]


def udp(source, sport, target, dport, data, **fields):
    body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ip(source, target, 17, _with_sum(source, target, 17, body, 6), **fields)


def tcp(source, sport, target, dport, flags, seq=1000, ack=0, data=b"", **fields):
    body = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 65535, 0, 0) + data
    return ip(source, target, 6, _with_sum(source, target, 6, body, 16), **fields)


def icmp6(source, target, kind, rest, **fields):
    body = struct.pack("!BBH", kind, 0, 0) + rest
    return ip(source, target, 58, _with_sum(source, target, 58, body, 2), **fields)


SYN, RST, ACK = 2, 4, 16


class Port:
    """A port of a switch, held by this process: any frame can be sent, all that come are seen. MAC and
    the two addresses are its own; it answers who asks for them."""

    def __init__(self, folder, mac="02:00:00:00:00:01", address4="10.9.0.1", address6="fd00:9::1"):
        self.lib = ctypes.CDLL("libvdeplug.so.2", use_errno=True)
        self.lib.vde_open_real.restype = ctypes.c_void_p
        for name in ("vde_datafd", "vde_close"):
            getattr(self.lib, name).argtypes = [ctypes.c_void_p]
        self.conn = self.lib.vde_open_real(f"vde://{folder}".encode(), b"test", 1, None)
        assert self.conn, os.strerror(ctypes.get_errno())
        # a duplicate: closed by us, while libvdeplug closes its own
        self.sock = socket.socket(fileno=os.dup(self.lib.vde_datafd(self.conn)))
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self.address4, self.address6 = address4, address6

    def send(self, data):
        self.sock.send(data)

    def packet(self, data, to=b"\x52\x55\x0a\x09\x00\xfe"):
        kind = b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00"
        self.send(to + self.mac + kind + data)

    def _answer(self, frame):
        """Neighbours that ask for our addresses are answered."""
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and \
                frame[38:42] == packed(self.address4):
            self.send(frame[6:12] + self.mac + b"\x08\x06" + frame[14:20] + b"\0\2" + self.mac +
                      frame[38:42] + frame[22:32])
        if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 135 and \
                frame[62:78] == packed(self.address6):
            source = str(ipaddress.ip_address(frame[22:38]))
            rest = struct.pack("!I", 0x60000000) + frame[62:78] + b"\x02\x01" + self.mac
            self.send(frame[6:12] + self.mac + b"\x86\xdd" +
                      icmp6(self.address6, source, 136, rest, hops=255))

    def receive(self, wanted, seconds=2):
        """The first frame that wanted(FRAME) is true of, or None."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.sock], [], [], left)[0]:
                continue
            frame = self.sock.recv(65536)
            self._answer(frame)
            if wanted(frame):
                return frame
        return None

    def close(self):
        self.sock.close()
        self.lib.vde_close(self.conn)


def is_udp(frame, source=None, sport=None):
    if frame[12:14] == b"\x08\x00" and frame[23] == 17:
        address, ports = frame[26:30], frame[34:36]
    elif frame[12:14] == b"\x86\xdd" and frame[20] == 17:
        address, ports = frame[22:38], frame[54:56]
    else:
        return False
    return (source is None or address == packed(source)) and \
        (sport is None or ports == struct.pack("!H", sport))


def is_tcp(frame, flags, sport):
    if frame[12:14] == b"\x08\x00" and frame[23] == 6:
        head = frame[34:]
    elif frame[12:14] == b"\x86\xdd" and frame[20] == 6:
        head = frame[54:]
    else:
        return False
    return head[13] & flags == flags and head[:2] == struct.pack("!H", sport)


class Guest:
    """A busybox guest of User-Mode Linux with one network card; run() gives commands to its shell. It
    lives in a PID namespace, so that nothing of it is left when it is ended."""

    def __init__(self, folder, image, switch_folder, mac="02:00:00:00:00:01", memory="64M"):
        self.log = Path(folder) / "console"
        program = runner.need_program("linux.uml", "user-mode-linux")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child",
                 "--mount-proc", program, "umid=guest", f"uml_dir={folder}/uml", f"mem={memory}",
                 "rw", "root=/dev/ubda", f"ubd0={image}", "quiet", "loglevel=3", "con=null",
                 "con0=fd:0,fd:1", "ssl=null", f"eth0=vde,{switch_folder},{mac}"],
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": "/dev/shm"}, start_new_session=True)
        self.commands = 0
        try:
            self._wait(re.compile(guests.READY), 60)
        except BaseException:
            self.close()
            raise

    def _wait(self, pattern, seconds, start=0):
        until = time.monotonic() + seconds
        while not pattern.search(text := self.log.read_bytes()[start:].decode(errors="replace")):
            assert self.process.poll() is None and time.monotonic() < until, \
                f"no '{pattern.pattern}' on the console: {text[-2000:]}"
            time.sleep(0.02)
        return text

    def run(self, command, expect=None, timeout=30):
        """The status and the output of a command in the guest."""
        self.commands += 1
        start = self.log.stat().st_size
        # the console shows what is typed: what is waited for must not stand there
        self.process.stdin.write(f"{command}; echo end-$(({self.commands}))-$?-\n".encode())
        self.process.stdin.flush()
        text = self._wait(re.compile(rf"end-{self.commands}-(\d+)-"), timeout, start)
        before, status, _ = re.split(rf"end-{self.commands}-(\d+)-", text, maxsplit=1)
        status = int(status)
        output = before.replace("\r", "").partition("\n")[2]
        if expect is not None:
            assert status == expect, f"{command}: status {status}: {output}"
        return status, output

    def close(self):
        end(self.process)
        self.process.stdin.close()
