# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that lies to the commands that reach into it. What a hostile agent would say comes from a
control socket of the test's own; what well-behaved ones do is in test_reach.py, with real guests."""

import json
import os
import socket
import subprocess
import threading
import time

import pytest

import nodes
import runner


class Liar:
    """The control socket of a node: `answers` is {do: function(liar, connection, stream, request)}."""

    def __init__(self, home, host="h"):
        self.home, self.answers, self.asked = home, {"status": status}, []
        data = home / "data/projects/net"
        self.transfer = data / "hosts" / host / "transfer"
        self.transfer.mkdir(parents=True)
        (data / "project.json").write_text('{"file": "project/net.kmln", "folder": "/"}\n')
        folder = home / "run/net/nodes" / f"host-{host}"
        folder.mkdir(parents=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(folder / "control"))
        self.socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        data = b""
        try:
            while piece := connection.recv(65536):
                frames, data = nodes.take_frames(data + piece)
                for kind, stream, content in frames:
                    if kind == nodes.OPEN:
                        request = json.loads(content)
                        self.asked.append(request)
                        self.answers[request["do"]](self, connection, stream, request)
        except OSError:
            pass

    def run(self, *args, **options):
        return runner.run([runner.BUILD / "kmln", args[0], "-p", "net", *args[1:]],
                          env={"KMLN_HOME": self.home}, timeout=options.pop("timeout", 30), **options)


def send(connection, stream, data, kind=nodes.DATA):
    for at in range(0, len(data), 16384):
        connection.sendall(nodes.frame(kind, stream, data[at:at + 16384]))


def close(connection, stream, **answer):
    connection.sendall(nodes.frame(nodes.CLOSE, stream, json.dumps(answer).encode()))


def status(liar, connection, stream, request):
    close(connection, stream, **{"return": {"agent": "kmln", "state": "running",
                                            "transfer": str(liar.transfer)}})


def lists(*entries):
    """A list of these, behind the folder itself."""
    def answer(liar, connection, stream, request):
        for entry in ({"path": "", "kind": "folder", "mode": 0o755}, *entries):
            send(connection, stream, entry if isinstance(entry, bytes) else json.dumps(entry).encode() + b"\n")
        close(connection, stream, **{"return": {}})
    return answer


def gives(content, **more):
    def answer(liar, connection, stream, request):
        send(connection, stream, content)
        close(connection, stream, **{"return": {"mode": 0o644, "size": len(content)}, **more})
    return answer


@pytest.fixture
def liar(tmp_path):
    made = Liar(tmp_path / "home")
    made.answers["get"] = gives(b"evil")
    yield made
    made.socket.close()


def tree(folder):
    return sorted(os.path.relpath(os.path.join(top, name), folder)
                  for top, folders, files in os.walk(folder) for name in folders + files)


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "..", "a//b", "./x", "a/", "x" * 256],
                         ids=range(8))
def test_paths_that_lead_out(liar, tmp_path, path):
    (tmp_path / "to/in").mkdir(parents=True)
    liar.answers["list"] = lists({"path": path, "kind": "file", "mode": 0o644, "size": 4},
                                 {"path": "never", "kind": "file", "mode": 0o644, "size": 4})
    run = liar.run("cp", "-r", "h:/tree", tmp_path / "to/in", expect=3)
    assert "no path below" in run.err or len(path) > 200
    assert tree(tmp_path / "to") == ["in", "in/tree"]


def test_links_are_not_followed(liar, tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("mine")
    liar.answers["list"] = lists(
        {"path": "out", "kind": "link", "target": str(tmp_path / "outside")},
        {"path": "out/new", "kind": "file", "mode": 0o644, "size": 4},
        {"path": "out/file", "kind": "file", "mode": 0o644, "size": 4},
        {"path": "out/folder", "kind": "folder", "mode": 0o755},
        {"path": "out", "kind": "folder", "mode": 0o755},
        {"path": "single", "kind": "link", "target": str(tmp_path / "outside/file")},
        {"path": "single", "kind": "file", "mode": 0o644, "size": 4})
    run = liar.run("cp", "-r", "h:/tree", tmp_path / "to", expect=1)
    assert run.err.count("Not a directory") == 4 and "4 objects were not copied" in run.err
    assert tree(tmp_path / "outside") == ["file"]
    assert (tmp_path / "outside/file").read_text() == "mine"
    assert (tmp_path / "to/tree/single").read_text() == "evil"
    assert not (tmp_path / "to/tree/single").is_symlink()


def test_names_and_modes(liar, tmp_path):
    (tmp_path / "to").mkdir()
    liar.answers["list"] = lists(
        {"bytes": "ff0a1b5b", "kind": "file", "mode": 0o6755, "size": 4},
        {"path": "two\nlines", "kind": "file", "mode": 0o644, "size": 4},
        {"path": "sticky", "kind": "folder", "mode": 0o3777},
        {"path": "pipe", "kind": "other", "mode": 0o644})
    run = liar.run("cp", "-r", "h:/tree", tmp_path / "to", expect=1)
    assert "pipe: it is no file" in run.err
    names = sorted(os.listdir(os.fsencode(tmp_path / "to/tree")))
    assert names == [b"sticky", b"two\nlines", b"\xff\n\x1b["]
    assert os.stat(os.fsencode(tmp_path / "to/tree") + b"/\xff\n\x1b[").st_mode & 0o7777 == 0o755
    assert (tmp_path / "to/tree/sticky").stat().st_mode & 0o7777 == 0o777
    # it is asked for by its bytes
    assert bytes.fromhex([r for r in liar.asked if r["do"] == "get"][0]["bytes"]) == b"/tree/\xff\n\x1b["


@pytest.mark.parametrize("line", [b"x" * 3_000_000, b"{}\n", b"[]\n", b'{"path": 1, "kind": "file"}\n',
                                  b'{"bytes": "6g", "kind": "file"}\n', b"\xff\xff\n"], ids=range(6))
def test_garbage_in_lists(liar, tmp_path, line):
    (tmp_path / "to").mkdir()
    liar.answers["list"] = lists(line)
    liar.run("cp", "-r", "h:/tree", tmp_path / "to", expect=3)


@pytest.mark.parametrize("trick", ["link", "pipe", "folder", "gone", "grown", "lie"])
def test_tricks_in_the_transfer_folder(liar, tmp_path, trick):
    """What the guest puts in the place of the shared file is never read, and is not waited for."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 100_000)

    def get(liar, connection, stream, request):
        if "share" not in request:
            return gives(b"streamed")(liar, connection, stream, request)
        path = liar.transfer / request["share"]
        if trick == "grown":
            path.write_bytes(b"g" * 300_000)
        elif trick != "lie":
            path.unlink()
        if trick == "link":
            path.symlink_to(secret)
        elif trick == "pipe":
            os.mkfifo(path)
        elif trick == "folder":
            path.mkdir()
        return close(connection, stream, **{"return": {"mode": 0o644, "size": 100_000}})
    liar.answers["get"] = get
    liar.answers["list"] = lists()
    liar.answers["list"] = lambda liar, connection, stream, request: (
        send(connection, stream, b'{"path": "", "kind": "file", "mode": 420, "size": 100000}\n'),
        close(connection, stream, **{"return": {}}))
    liar.run("cp", "h:/file", tmp_path / "to", expect=0)
    assert (tmp_path / "to").read_bytes() == b"streamed"
    assert secret.read_bytes() == b"s" * 100_000
    left = list(liar.transfer.iterdir())
    assert [path.is_dir() for path in left] == [True] * (trick == "folder")


def test_a_put_through_the_transfer_folder_tells_nothing(liar, tmp_path):
    """The shared name cannot be foreseen, and what stands under it is the content and nothing else."""
    (tmp_path / "file").write_bytes(b"c" * 70_000)
    seen = []

    def put(liar, connection, stream, request):
        path = liar.transfer / request["share"]
        seen.append((request["share"], path.read_bytes(), path.stat().st_mode & 0o777))
        close(connection, stream, **{"return": {"size": 70_000}})
    liar.answers["put"] = put
    liar.answers["list"] = lambda liar, connection, stream, request: close(
        connection, stream, error="no", code="ENOENT")
    for _ in range(2):
        liar.run("cp", tmp_path / "file", "h:/file", expect=0)
    (one, content, mode), (two, *_) = seen
    assert one != two and len(one) == 32 and content == b"c" * 70_000 and mode == 0o600
    assert not list(liar.transfer.iterdir())


@pytest.mark.parametrize("answer", [b'{"return": {"status": 9999}}', b'{"return": {"status": "x"}}',
                                    b'{"return": {"signal": -9}}', b'{"return": null}', b"garbage", b"",
                                    b'{"error": "\\u001b[31mred", "code": "EWHAT"}'])
def test_garbage_at_the_end_of_exec(liar, answer):
    liar.answers["exec"] = lambda liar, connection, stream, request: connection.sendall(
        nodes.frame(nodes.CLOSE, stream, answer))
    run = liar.run("exec", "h", "true", expect=125)
    assert run.err and "\x1b" not in run.err


@pytest.mark.parametrize("data", [b"no frame at all", nodes.frame(nodes.DATA, 1, b"x") + b"\0" * 100,
                                  nodes.frame(nodes.CREDIT, 1, b"\xff" * 4) * 3 + b"x", b""])
def test_lines_that_break(liar, data):
    def answer(liar, connection, stream, request):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)
    liar.answers["exec"] = answer
    assert liar.run("exec", "h", "true", expect=125).err


def test_who_never_answers(liar):
    liar.answers["exec"] = lambda *args: None
    start = time.monotonic()
    run = liar.run("exec", "--timeout", "1", "h", "true", expect=125)
    assert "after 1 s" in run.err and time.monotonic() - start < 15


def test_floods_need_no_memory(liar):
    """It ignores what it may send; our reader is slow."""
    def flood(liar, connection, stream, request):
        while True:
            connection.sendall(nodes.frame(nodes.DATA, stream, b"x" * 16384))
    liar.answers["exec"] = flood
    with subprocess.Popen([runner.BUILD / "kmln", "exec", "-p", "net", "h", "yes"], stdout=subprocess.PIPE,
                          env={**os.environ, "KMLN_HOME": str(liar.home)}) as child:
        child.stdout.read(1)
        time.sleep(1)
        words = open(f"/proc/{child.pid}/status").read()
        child.kill()
    assert runner.fits(int(words.split("VmRSS:")[1].split()[0]), 40_000)


def test_no_agent(liar):
    liar.answers["exec"] = lambda liar, connection, stream, request: close(
        connection, stream, error="no agent answers", code="ENOTCONN")
    liar.answers["status"] = lambda liar, connection, stream, request: close(
        connection, stream, **{"return": {"agent": None, "up_ms": 5000, "last_line": "\x1b[1mbooting"}})
    run = liar.run("exec", "h", "true", expect=125)
    assert "its agent does not answer, 5 s after the start" in run.err and "kmln console h" in run.err
    assert "\\x1b[1mbooting" in run.err
    assert "its agent does not answer" in liar.run("cp", "h:/x", "/nonexistent", expect=1).err
