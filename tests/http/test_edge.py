#!/usr/bin/env python3
"""test_edge.py - who a client is when proxies stand between, and how many connections an address may have.

TAP on standard output. Starts nodes of its own; every address of 127.0.0.0/8 is one of this machine, so clients and
proxies are told apart by the address that they connect from. AGENTD names the program.
"""

import json
import os
import signal
import socket
import struct
import sys
import time

import own_node
from own_node import check

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
PROXY, CLIENT, OTHER = "127.0.0.9", "127.0.0.20", "127.0.0.21"
MOST = 5


def header_v2(source="192.0.2.7", command=0x21, family=0x11, addresses=None, more=b"", length=None):
    if addresses is None:
        addresses = socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 1234, 443)
    rest = addresses + more
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(rest) if length is None else length) + rest


def login_message(name, forwarded=()):
    """A login that fails: the log says who tried, and from where."""
    body = json.dumps({"username": name, "password": "wrong"}).encode()
    lines = [b"POST /api/v1/auth/login HTTP/1.1", b"Host: a", b"Content-Type: application/json", b"Connection: close",
             b"X-Request-Id: " + name.encode(), b"Content-Length: %d" % len(body)]
    lines += [b"X-Forwarded-For: " + value.encode() for value in forwarded]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def address_of(node, name):
    """The address that the log has for the failed login of that name."""
    def look():
        return [line["address"] for line in node.lines() if line.get("request_id") == name and "address" in line]
    found = own_node.until(look)
    return found[0] if found else None


def try_login(node, name, source, forwarded=(), before=b""):
    answer = node.raw(before + login_message(name, forwarded), source)
    if not answer.startswith(b"HTTP/1.1 401"):
        return answer
    return address_of(node, name)


def test_forwarded(node):
    seen = try_login(node, "a1", CLIENT, ["1.2.3.4"])
    check("X-Forwarded-For of a stranger is not believed", seen == CLIENT, seen)
    seen = try_login(node, "a2", PROXY, ["6.6.6.6, 1.2.3.4"])
    check("that of a trusted proxy is, and only its own word", seen == "1.2.3.4", seen)
    seen = try_login(node, "a3", PROXY, ["6.6.6.6", "1.2.3.4, 127.0.0.8"])
    check("trusted hops are skipped, over several headers", seen == "1.2.3.4", seen)
    seen = try_login(node, "a4", PROXY, ["1.2.3.4, unknown"])
    check("behind what is no address nothing is believed", seen == PROXY, seen)
    seen = try_login(node, "a5", PROXY, ["2001:db8::7"])
    check("IPv6 too", seen == "2001:db8::7", seen)
    answer = node.raw(header_v2() + login_message("a6"), PROXY)
    check("a PROXY header is no HTTP when the protocol is off", answer.startswith(b"HTTP/1.1 400"), answer)


def test_limit_by_client(node):
    """The rate limit of logins is a tenth of 50, by the address of the client, not by that of the proxy."""
    answers = [node.raw(login_message(f"l{i}", ["7.7.7.7"]), PROXY)[:12] for i in range(12)]
    check("one client behind the proxy is limited", answers[-1] == b"HTTP/1.1 429", answers)
    answer = node.raw(login_message("l99", ["7.7.7.8"]), PROXY)
    check("another one is not", answer.startswith(b"HTTP/1.1 401"), answer)


def test_proxy_protocol(node):
    seen = try_login(node, "p1", PROXY, before=header_v2("192.0.2.7"))
    check("the PROXY header names the client", seen == "192.0.2.7", seen)
    ip6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "::1") + b"\0\1\0\2"
    seen = try_login(node, "p2", PROXY, before=header_v2(family=0x21, addresses=ip6, more=b"\x04\x00\x02xx"))
    check("over IPv6, with additions", seen == "2001:db8::7", seen)
    seen = try_login(node, "p3", PROXY, before=header_v2(command=0x20, family=0, addresses=b""))
    check("LOCAL is the proxy itself", seen == PROXY, seen)
    seen = try_login(node, "p4", PROXY, ["6.6.6.6"], header_v2("192.0.2.7"))
    check("X-Forwarded-For of the client behind it is not believed", seen == "192.0.2.7", seen)
    seen = try_login(node, "p5", PROXY, ["1.2.3.4"], header_v2("127.0.0.8"))
    check("that of a trusted proxy behind it is", seen == "1.2.3.4", seen)
    seen = try_login(node, "p6", CLIENT)
    check("others speak without a header", seen == CLIENT, seen)
    answer = node.raw(header_v2() + login_message("p7"), CLIENT)
    check("and none of theirs is believed", answer.startswith(b"HTTP/1.1 400"), answer)
    for name, bytes_sent in (("nothing but HTTP", b""), ("version 1", b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n"),
                             ("a wrong version", header_v2(command=0x31)), ("UDP", header_v2(family=0x12)),
                             ("a unix socket", header_v2(family=0x31, addresses=b"x" * 216)),
                             ("addresses that do not fit", header_v2(addresses=b"12345")),
                             ("additions that do not fit", header_v2(more=b"\x04\x00\x09x")),
                             ("a length past all bounds", header_v2(length=65535))):
        answer = node.raw(bytes_sent + login_message("p8"), PROXY)
        check(f"{name} from the proxy: closed without a word", answer == b"", answer)
    check("and the log says why", node.logged("a trusted proxy sent no valid PROXY header; its connection is closed"))


def test_proxy_deadline(node):
    with socket.create_connection(("127.0.0.1", node.port), timeout=20, source_address=(PROXY, 0)) as link:
        begun = time.monotonic()
        for byte in header_v2()[:-1]:
            link.sendall(bytes([byte]))
        received = link.recv(100)
        took = time.monotonic() - begun
    check("a header that does not end: closed at the deadline of the head", received == b"" and 0.5 < took < 8, took)
    with socket.create_connection(("127.0.0.1", node.port), timeout=20, source_address=(PROXY, 0)) as link:
        for byte in header_v2("192.0.2.9") + login_message("d1"):
            link.sendall(bytes([byte]))
        received = link.recv(100)
    check("one that comes byte by byte is read", received.startswith(b"HTTP/1.1 401"), received)
    check("and believed", address_of(node, "d1") == "192.0.2.9")


def open_one(node, source, before=b""):
    """A connection that was served, or None."""
    link = socket.create_connection(("127.0.0.1", node.port), timeout=10, source_address=(source, 0))
    try:
        link.sendall(before + b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = link.recv(65536)
    except ConnectionError:
        answer = b""
    if answer.startswith(b"HTTP/1.1 200"):
        return link
    link.close()
    return None


def fill(node, source, before=b""):
    held = []
    while len(held) < 4 * MOST and (link := open_one(node, source, before)):
        held.append(link)
    return held


def close_all(links):
    for link in links:
        link.close()


def test_cap(node):
    held = fill(node, CLIENT)
    check("an address has as many connections as it may, over all workers", len(held) == MOST, len(held))
    answer = node.raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", CLIENT)
    check("one more is told so", answer.startswith(b"HTTP/1.1 429") and b"too_many_connections" in answer, answer)
    check("the log too", node.logged("an address has too many connections; further ones are closed"))
    check("another address is served", node.raw(b"GET /livez HTTP/1.0\r\n\r\n", OTHER).startswith(b"HTTP/1.1 200"))
    held.pop().close()
    link = own_node.until(lambda: open_one(node, CLIENT))
    check("a place that is free again is given again", link)
    held.append(link)
    victims = node.workers()
    os.kill(victims[0], signal.SIGKILL)
    own_node.until(lambda: len(node.workers()) == len(victims) and victims[0] not in node.workers())
    # What the dead worker held is gone; what the other holds is not.
    alive = [link for link in held if is_open(link)]
    more = own_node.until(lambda: complete(node, alive))
    check("a worker that is killed leaves no counts behind, and loses none of the others'",
          more and len(fill(node, CLIENT)) == 0, len(alive))
    close_all(held)
    close_all(alive)
    behind = fill(node, PROXY, header_v2("192.0.2.50"))
    check("behind a proxy the clients are counted", len(behind) == MOST, len(behind))
    link = open_one(node, PROXY, header_v2("192.0.2.51"))
    check("each by itself", link)
    own = fill(node, PROXY, header_v2(command=0x20, family=0, addresses=b""))
    check("and the proxy itself not", len(own) == 4 * MOST, len(own))
    close_all([*behind, *own, link])


def is_open(link):
    link.setblocking(False)
    try:
        return bool(link.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        link.settimeout(10)


def complete(node, held):
    """Opens until MOST are held; True when that came out even."""
    held.extend(fill(node, CLIENT))
    return len(held) == MOST


def run(test, **settings):
    node = own_node.Node(**settings)
    try:
        for one in test:
            one(node)
    finally:
        check("stops cleanly", node.stop() == 0)


def main():
    trusted = {"AGENTD_TRUSTED_PROXIES": "127.0.0.8/31"}
    run([test_forwarded], **trusted)
    run([test_limit_by_client], AGENTD_RATE_LIMIT="50", **trusted)
    run([test_proxy_protocol, test_proxy_deadline, test_cap], AGENTD_PROXY_PROTOCOL="on", AGENTD_WORKERS="2",
        AGENTD_HEADER_TIMEOUT_S="2", AGENTD_MAX_CONNECTIONS_PER_ADDRESS=str(MOST), **trusted)
    return own_node.finish()


if __name__ == "__main__":
    sys.exit(main())
