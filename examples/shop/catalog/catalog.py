"""The shop's products, as JSON."""
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRODUCTS = [
    {"id": "tea", "name": "Green tea", "price": 4.5},
    {"id": "mug", "name": "Blue mug", "price": 9.0},
    {"id": "pot", "name": "Iron pot", "price": 49.0},
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, "text/plain", b"ok\n")
        elif self.path.startswith("/products"):
            self.answer(200, "application/json", json.dumps(PRODUCTS).encode())
        else:
            self.answer(404, "text/plain", b"no such page\n")

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "9000"))), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print(f"catalog listens on {server.server_port}", flush=True)
server.serve_forever()
