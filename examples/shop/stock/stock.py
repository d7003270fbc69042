"""How many of each product are left: a line protocol over TCP in which the server speaks first."""
import os
import signal
import socketserver
import threading

LEFT = {"tea": 120, "mug": 7, "pot": 0}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"stock ready\n")
        for line in self.rfile:
            verb, _, product = line.decode().strip().partition(" ")
            self.wfile.write(f"{LEFT.get(product, 0)}\n".encode() if verb == "COUNT" else b"?\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


assert os.environ.get("TOKEN"), "TOKEN is missing"
server = Server(("0.0.0.0", int(os.environ.get("PORT", "7000"))), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("stock listens", flush=True)
server.serve_forever()
