"""What the scripted HTTP servers of the tests have in common: a thread of their own, nothing on standard error, JSON-RPC and event streams.

    class Handler(http_server.Handler):
        def do_POST(self):
            m = self.message()
            self.answer(m, {"tools": []})
    with http_server.Server(Handler) as s:    s.url, s.port
"""
import http.server
import json
import socket
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        self.server.connections.append(self.connection)

    def message(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def say(self, status, body=b"", media="application/json", **fields):
        """An answer; X_Name="v" is the field X-Name."""
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        if body:
            self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, m, result=None, error=None, status=200):
        said = {"error": error} if error else {"result": result}
        self.say(status, json.dumps({"jsonrpc": "2.0", "id": m["id"], **said}, indent=self.server.indent).encode())

    def stream(self, chunked=False):
        """Begins an event stream: one that ends with the connection, or after end()."""
        self.chunked = chunked
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
        self.end_headers()

    def event(self, message=None, **fields):
        """A message, or an event of these fields without one, or a comment."""
        lines = ["%s: %s" % f for f in fields.items()]
        if message or fields:
            lines.append("data: " + (json.dumps(message) if message else ""))
        data = ("\n".join(lines or [":"]) + "\n\n").encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data)
        self.wfile.flush()

    def end(self):
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    """What a handler finds in self.server has to be there before this __init__ is called: it may be asked at once."""
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    indent = None    # of answers that are no stream

    def __init__(self, handler, port=0, context=None):
        self.connections = []
        super().__init__(("127.0.0.1", port), handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port = self.server_port
        self.url = "%s://127.0.0.1:%d/mcp" % ("https" if context else "http", self.port)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass    # clients that leave

    def stop(self):
        """Ends it with all its connections."""
        self.shutdown()
        self.server_close()
        for c in self.connections:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __exit__(self, *args):
        self.stop()
