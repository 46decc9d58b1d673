"""What stands before several `serve`: sends each delivery to one that is in service."""

import collections
import http.client
import http.server
import itertools
import threading


class Balancer:
    """Counts what was answered, and what is in hand where; `in_service` may change at any time."""

    def __init__(self):
        self.in_service, self.turn = [], itertools.count()
        self.answered, self.in_hand = collections.Counter(), collections.Counter()
        balancer, self.lock = self, threading.Lock()

        class Pass(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def log_message(self, *_):
                pass

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code = balancer.ask(self.command, self.path, body, dict(self.headers))
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = pass_on

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pass)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()

    def ask(self, method, path, body, headers):
        with self.lock:
            port = self.in_service[next(self.turn) % len(self.in_service)]
            self.in_hand[port] += 1
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request(method, path, body, headers)
            code = connection.getresponse().status
            connection.close()
        except (OSError, http.client.HTTPException):
            code = 502
        with self.lock:
            self.in_hand[port] -= 1
            self.answered[code] += method == "POST"
        return code

    def end(self):
        self.server.shutdown()
        self.server.server_close()
