# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test's host runs inside its own network. outside.py SERVICE...: says "ready" when all of them
answer, and ends with its standard input.

    tcp ADDRESS PORT WORDS   says WORDS to whoever connects
    sink ADDRESS PORT        reads all, then tells how many bytes and seconds it was
    source ADDRESS PORT      sends zeros until the other side has enough
    udp ADDRESS PORT WORDS   answers WORDS and what it got
    dns ADDRESS NAME ANSWER  a name server (UDP) for one name
    ask KIND ADDRESS PORT WORDS SECONDS
                             asks once, prints the answer; status 1: there is none
"""

import socket
import socketserver
import struct
import sys
import threading
import time


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(kind, address, port, handler):
    base = socketserver.ThreadingUDPServer if kind == "udp" else socketserver.ThreadingTCPServer
    server_class = type("Server", (base,), {"address_family": family(address), "daemon_threads": True,
                                            "allow_reuse_address": True, "max_packet_size": 65536})
    server = server_class((address, port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def handler(function):
    return type("Handler", (socketserver.BaseRequestHandler,), {"handle": lambda self: function(self.request)})


def sink(connection):
    start, size = time.monotonic(), 0
    while data := connection.recv(1 << 16):
        size += len(data)
    print(f"sink {size} {time.monotonic() - start:.3f}", flush=True)


def source(connection):
    zeros = bytes(1 << 16)
    try:
        while True:
            connection.sendall(zeros)
    except OSError:
        pass


def dns(name, answer):
    """One question, one answer: the name in the question is not looked at beyond being this one."""
    wanted = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"

    def reply(request):
        data, sock = request
        question = data[12:]
        end = question.find(b"\0") + 5
        known = question[:len(wanted)].lower() == wanted and question[end - 4:end] == b"\0\1\0\1"
        head = data[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, known, 0, 0)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(answer)
        sock.sendto(head + question[:end] + (record if known else b""), reply.client)
    return reply


def start(words):
    kind, address = words[0], words[1]
    if kind == "dns":
        reply = dns(words[2], words[3])

        def handle(self):
            reply.client = self.client_address
            reply(self.request)
        serve("udp", address, 53, type("Handler", (socketserver.BaseRequestHandler,), {"handle": handle}))
        return 4
    port = int(words[2])
    if kind == "tcp":
        serve("tcp", address, port, handler(lambda connection: connection.sendall(words[3].encode())))
        return 4
    if kind == "udp":
        def echo(self):
            self.request[1].sendto(words[3].encode() + b" " + self.request[0], self.client_address)
        serve("udp", address, port, type("Handler", (socketserver.BaseRequestHandler,), {"handle": echo}))
        return 4
    serve("tcp", address, port, handler({"sink": sink, "source": source}[kind]))
    return 3


def ask(kind, address, port, words, seconds):
    try:
        if kind == "tcp":
            with socket.create_connection((address, int(port)), timeout=float(seconds)) as connection:
                connection.sendall(words.encode())
                connection.shutdown(socket.SHUT_WR)
                answer = b""
                while data := connection.recv(65536):
                    answer += data
        else:
            with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
                sock.settimeout(float(seconds))
                sock.connect((address, int(port)))
                sock.send(words.encode())
                answer = sock.recv(65536)
    except OSError as error:
        sys.exit(f"{error}")
    if not answer:
        sys.exit("closed without a word")
    print(answer.decode(), end="")


def main():
    words = sys.argv[1:]
    if words[0] == "ask":
        ask(*words[1:])
        return
    while words:
        words = words[start(words):]
    print("ready", flush=True)
    sys.stdin.read()


main()
