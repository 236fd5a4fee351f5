"""A web server on loopback whose wire can be slow, or lose an answer."""

import socket
from http.server import ThreadingHTTPServer
from threading import Barrier, Event
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

#: Seconds after which a test fails that waits for a page or a request.
PATIENCE = 20


class Wire:
    """A WSGI application in front of another one, which holds answers back, or loses one."""

    def __init__(self, application):
        self.application = application
        self.posts = []
        #: Whether requests for our script find nothing.
        self.script_is_lost = False
        self._gates = {}
        self._lost = set()
        self._patient = set()
        self._clicked = Event()

    def hold(self, path, *, before):
        """Hold the next two posts to a path: until both have come, or (``before`` false) until both are answered."""
        self._gates[path] = [(before, gate := Barrier(2)), (before, gate)]

    def hold_until_clicked(self, path):
        """Hold the answer to the next post to a path until the page tells that somebody clicked, at ``/clicked``."""
        self._clicked.clear()
        self._patient.add(path)

    def lose(self, path):
        """Cut the connection of the next post to a path, after the application has answered."""
        self._lost.add(path)

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if self.script_is_lost and path.endswith("smsmfa.js"):
            start_response("404 Not Found", [("Content-Type", "text/javascript")])
            return []
        if environ["REQUEST_METHOD"] != "POST":
            return self.application(environ, start_response)
        if path == "/clicked":
            self._clicked.set()
            start_response("204 No Content", [])
            return []
        self.posts.append(path)
        before, gate = self._gates[path].pop() if self._gates.get(path) else (False, None)
        if gate and before:
            gate.wait(PATIENCE)
        answer = self.application(environ, start_response)
        if gate and not before:
            gate.wait(PATIENCE)
        if path in self._patient:
            self._patient.remove(path)
            self._clicked.wait(PATIENCE)
        if path in self._lost:
            self._lost.remove(path)
            environ["tests.connection"].shutdown(socket.SHUT_RDWR)
        return answer


class Handler(WSGIRequestHandler):
    """Gives the application its connection, and logs nothing."""

    def get_environ(self):
        return super().get_environ() | {"tests.connection": self.connection}

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer, WSGIServer):
    """Answers each request in a thread of its own."""

    daemon_threads = True
