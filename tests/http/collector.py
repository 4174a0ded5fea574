"""collector.py - a stand-in for an OpenTelemetry collector: takes OTLP over HTTP in JSON, holds every request against the
rules of the protocol's fields (opentelemetry-proto v1 in the JSON mapping of OTLP), and does what a test tells it to."""

import http.server
import json
import re
import socket
import threading

HEX = re.compile(r"[0-9a-f]+\Z")


class Wrong(Exception):
    pass


def need(good, *what):
    if not good:
        raise Wrong(*what)


def text(value, *where):
    need(isinstance(value, str), "not a text", value, *where)


def uint(bits):
    def rule(value, *where):
        need(isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << bits, "not a number", value, *where)
    return rule


def wide(value, *where):
    """fixed64, int64: as text."""
    need(isinstance(value, str) and re.fullmatch(r"-?(0|[1-9][0-9]*)", value) and -1 << 63 <= int(value) < 1 << 64,
         "not a 64-bit integer as text", value, *where)


def identity(size):
    def rule(value, *where):
        need(isinstance(value, str) and len(value) == 2 * size and HEX.match(value) and int(value, 16), "not an id", value, *where)
    return rule


def enum(*values):
    def rule(value, *where):
        need(not isinstance(value, bool) and value in values, "not of the enum", value, *where)
    return rule


def many(rule):
    def each(value, *where):
        need(isinstance(value, list), "not a list", value, *where)
        for item in value:
            rule(item, *where)
    return each


def message(required=(), only_one=False, **fields):
    def rule(value, *where):
        need(isinstance(value, dict), "not an object", value, *where)
        need(not set(value) - set(fields), "unknown fields", set(value) - set(fields), *where)
        need(not set(required) - set(value), "missing fields", set(required) - set(value), *where)
        need(not only_one or len(value) == 1, "one of", list(value), *where)
        for name, item in value.items():
            fields[name](item, *where, name)
    return rule


def boolean(value, *where):
    need(isinstance(value, bool), "not a boolean", value, *where)


def attributes(value, *where):
    many(ATTRIBUTE)(value, *where)
    names = [item["key"] for item in value]
    need(len(set(names)) == len(names), "a key is there twice", names, *where)


VALUE = message(only_one=True, stringValue=text, boolValue=boolean, intValue=wide)
ATTRIBUTE = message(required=("key", "value"), key=text, value=VALUE)
EVENT = message(required=("timeUnixNano", "name"), timeUnixNano=wide, name=text, attributes=attributes,
                droppedAttributesCount=uint(32))
STATUS = message(code=enum(0, 1, 2), message=text)
SPAN = message(required=("traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"),
               traceId=identity(16), spanId=identity(8), traceState=text, parentSpanId=identity(8), flags=uint(32), name=text,
               kind=enum(1, 2, 3, 4, 5), startTimeUnixNano=wide, endTimeUnixNano=wide, attributes=attributes,
               droppedAttributesCount=uint(32), events=many(EVENT), status=STATUS)
SCOPE = message(name=text, version=text)
RESOURCE = message(attributes=attributes)
REQUEST = message(required=("resourceSpans",), resourceSpans=many(message(
    resource=RESOURCE, schemaUrl=text, scopeSpans=many(message(scope=SCOPE, schemaUrl=text, spans=many(SPAN))))))


def plain(items):
    return {item["key"]: next(iter(item["value"].values())) for item in items}


class Collector:
    """answers: what is given for the next requests: (status, headers, body), or "hang"; 200 when there are none left."""

    def __init__(self, port=0):
        self.spans, self.wrong, self.requests, self.answers, self.resources = [], [], [], [], []
        self.lock = threading.Lock()
        self.links = set()
        self.released = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                outer.links.add(self.connection)

            def finish(self):
                outer.links.discard(self.connection)
                super().finish()

            def do_POST(self):
                outer.take(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self.lock:
            self.requests.append((handler.path, dict(handler.headers)))
            answer = self.answers.pop(0) if self.answers else (200, {}, "{}")
            if answer != "hang" and answer[0] < 300:
                self.keep(handler, body)
        if answer == "hang":
            self.released.wait(60)
            handler.close_connection = True
            return
        status, headers, content = answer
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content.encode())

    def keep(self, handler, body):
        try:
            need(handler.path == "/v1/traces", "path", handler.path)
            need(handler.headers["Content-Type"] == "application/json", "type", handler.headers["Content-Type"])

            def once(pairs):
                need(len({name for name, _ in pairs}) == len(pairs), "a member is there twice", pairs)
                return dict(pairs)
            request = json.loads(body, object_pairs_hook=once)
            REQUEST(request)
            for resource in request["resourceSpans"]:
                self.resources.append(plain(resource["resource"]["attributes"]))
                for scope in resource["scopeSpans"]:
                    for span in scope["spans"]:
                        need(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), "ends before it begins", span)
                        self.spans.append({**span, "attributes": plain(span.get("attributes", []))})
        except (Wrong, ValueError, KeyError, TypeError) as problem:
            self.wrong.append((repr(problem), body[:3000]))

    def found(self, **wanted):
        """The spans whose fields, or attributes (with __ for .), are so."""
        def value(span, name):
            return span["attributes"].get(name.replace("__", "."), span.get(name))
        with self.lock:
            return [span for span in self.spans if all(value(span, name) == item for name, item in wanted.items())]

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        for link in list(self.links):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
