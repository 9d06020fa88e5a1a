"""The service that mails one-time codes (api.accounts.reset_hook): an HTTPS server that records what it is asked and answers as scripted."""
import json
import ssl
import subprocess
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .origin import Gate
from .waiting import wait_until

TOKEN = "token-of-the-reset-hook"


class HookRequest:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, json.loads(body)

    @property
    def code(self):
        return self.body["code"]

    @property
    def idempotency_key(self):
        return self.headers["Idempotency-Key"]


class ResetHook:
    """`answers` are the statuses of the next requests; then each is answered with 204. A gate instead of a status holds its request until it is opened,
    and answers it with 500. `location` is sent with each answer."""

    def __init__(self, folder, name="hook"):
        self.folder = folder / name
        self.folder.mkdir()
        self.answers, self.requests, self.gates, self.location = deque(), [], [], None
        self.certificate, key = self.folder / "cert.pem", self.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", key,
                        "-out", self.certificate, "-subj", "/CN=hook", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.token_file = self.folder / "token"
        self.token_file.write_text(TOKEN + "\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None   # a client that does not trust the certificate
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def handler(hook):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = HookRequest(self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"])))
                hook.requests.append(request)
                answer = hook.answers.popleft() if hook.answers else 204
                if isinstance(answer, Gate):
                    answer.wait()
                    answer = 500
                self.send_response(answer)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        return Handler

    def gate(self):
        self.gates.append(Gate())
        self.answers.append(self.gates[-1])
        return self.gates[-1]

    def settings(self, **changes):
        """Settings of the section api.accounts."""
        return {"reset_hook": {"url": self.url + "/codes?from=tribune", "token_file": str(self.token_file), **changes}}

    @property
    def trust(self):
        """Settings with which a process trusts the certificate."""
        return {"client": {"ca_file": str(self.certificate)}}

    def wait_for(self, times, within=5.0):
        wait_until(lambda: len(self.requests) >= times, within, f"the hook is asked {times} times")
        return self.requests

    def close(self):
        for gate in self.gates:
            gate.open()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
