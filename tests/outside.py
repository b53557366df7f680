# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test's host runs inside its own network. outside.py SERVICE...: says "ready" when all of them
answer, then "tcp|udp ADDRESS PORT" for each time that one was reached, and ends with its standard input.

    tcp ADDRESS PORT WORDS   says WORDS to whoever connects
    sink ADDRESS PORT        reads all, then tells how many bytes and seconds it was
    source ADDRESS PORT      sends zeros until the other side has enough
    keep ADDRESS PORT        says nothing, and keeps the connection
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


def serve(kind, address, port, handle):
    """handle(REQUEST, CLIENT) in a thread of its own, for each connection or datagram, each of which is
    told on standard output."""
    def told(self):
        print(f"{kind} {address} {port}", flush=True)
        handle(self.request, self.client_address)
    base = socketserver.ThreadingTCPServer if kind == "tcp" else socketserver.ThreadingUDPServer
    server_class = type("Server", (base,), {"address_family": family(address), "daemon_threads": True,
                                            "allow_reuse_address": True, "max_packet_size": 65536,
                                            "request_queue_size": 2048})
    server = server_class((address, port), type("Handler", (socketserver.BaseRequestHandler,),
                                                {"handle": told}))
    threading.Thread(target=server.serve_forever, daemon=True).start()


def sink(connection, _client):
    start, size = time.monotonic(), 0
    while data := connection.recv(1 << 16):
        size += len(data)
    print(f"sink {size} {time.monotonic() - start:.3f}", flush=True)


def source(connection, _client):
    zeros = bytes(1 << 16)
    try:
        while True:
            connection.sendall(zeros)
    except OSError:
        pass


def say(connection, words):
    """All that the other side said is read before the end: else it would be told of a reset."""
    connection.sendall(words)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(1 << 16):
        pass


def keep(connection, _client):
    """Holds the connection until the other side lets go."""
    connection.recv(1)


def dns(name, answer):
    """Answers questions for the IPv4 address of one name; there are no others."""
    wanted = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"

    def reply(request, client):
        data, sock = request
        question = data[12:12 + data[12:].index(b"\0") + 5]
        known = question.lower() == wanted + b"\0\1\0\1"
        mine = question[:-4].lower() == wanted
        head = data[:2] + struct.pack("!HHHHH", 0x8180 if mine else 0x8183, 1, known, 0, 0)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(answer)
        sock.sendto(head + question + (record if known else b""), client)
    return reply


def start(words):
    """Starts the service that the first words name; returns how many they are."""
    kind, address = words[0], words[1]
    if kind == "dns":
        serve("udp", address, 53, dns(words[2], words[3]))
        return 4
    port, said = int(words[2]), (words[3] if kind in ("tcp", "udp") else "").encode()
    serve("udp" if kind == "udp" else "tcp", address, port, {
        "tcp": lambda connection, client: say(connection, said),
        "udp": lambda request, client: request[1].sendto(said + b" " + request[0], client),
        "sink": sink, "source": source, "keep": keep}[kind])
    return 4 if said else 3


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
