"""moto's DynamoDB on this machine: one request after the other, because its transactions are not atomic for threads."""

import json
from contextlib import contextmanager
from threading import Lock, Thread
from zlib import crc32

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUSY = "ProvisionedThroughputExceededException"


class Keeping(WSGIRequestHandler):
    """Keeps connections open, as DynamoDB does, and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *arguments):
        pass


class Database:
    """moto as a WSGI application that tells what it was asked, and refuses writes while it is ``throttled``."""

    def __init__(self):
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = Lock()
        self.throttled = False
        self.asked = []

    def __call__(self, environ, start_response):
        name = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        self.asked.append(name)
        if self.throttled and name == "TransactWriteItems":
            return self._refused(start_response)
        with self._lock:
            return list(self._moto(environ, start_response))

    def _refused(self, start_response):
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{BUSY}", "message": "too much"}).encode()
        headers = {"Content-Length": str(len(body)), "x-amz-crc32": str(crc32(body))}
        start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.0"), *headers.items()])
        return [body]


@contextmanager
def dynamodb():
    """Yield a database, and the address of its server."""
    database = Database()
    server = make_server("127.0.0.1", 0, database, threaded=True, request_handler=Keeping)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield database, server.server_address[:2]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
