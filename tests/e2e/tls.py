"""Bad certificates: of an unknown issuer or another host, expired, over an old TLS. Not a byte is sent.

usage: tls.py REBAL

Needs the openssl program to make the certificates; without it the checks are skipped, said aloud.
"""
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import warnings

from harness import Checks, Home, wait_for

rebal = os.path.abspath(sys.argv[1])
checks = Checks()
that = checks.that


class Server:
    """Speaks TLS with one certificate and keeps every byte that a client sends through it."""

    def __init__(self, certificate, key, newest=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        if newest is not None:
            with warnings.catch_warnings():
                # That they are deprecated is why they are tried.
                warnings.simplefilter("ignore", DeprecationWarning)
                self.context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                self.context.maximum_version = newest
            self.context.set_ciphers("ALL:@SECLEVEL=0")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.seen, self.connections = b"", 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                with self.context.wrap_socket(plain, server_side=True) as stream:
                    self.seen += stream.recv(65536)
            except (OSError, ssl.SSLError):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """An issuer that rebal is told to trust, so that only what is wrong with a certificate refuses it."""

    def __init__(self, folder):
        self.folder = folder
        self.root = os.path.join(folder, "root.pem")
        self.key = os.path.join(folder, "root.key")
        openssl("req", "-x509", *KEY, "-subj", "/CN=test root", "-days", "2", "-out", self.root, "-keyout", self.key)

    def issue(self, name, alternative, *dates):
        made = {end: os.path.join(self.folder, f"{name}.{end}") for end in ("pem", "key", "csr", "ext")}
        with open(made["ext"], "w") as file:
            file.write(f"subjectAltName={alternative}\n")
        openssl("req", *KEY, "-subj", f"/CN={name}", "-out", made["csr"], "-keyout", made["key"])
        openssl("x509", "-req", "-in", made["csr"], "-CA", self.root, "-CAkey", self.key, "-CAcreateserial",
                "-extfile", made["ext"], *(dates or ("-days", "2")), "-out", made["pem"])
        return made["pem"], made["key"]


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def certificates():
    if not shutil.which("openssl"):
        print("skipped: there is no openssl to make certificates with")
        return
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        stranger = os.path.join(folder, "stranger")
        os.mkdir(stranger)
        here = "IP:127.0.0.1"
        kinds = [
            ("of an unknown issuer", Authority(stranger).issue("stranger", here), None, False),
            ("of another host", authority.issue("other", "DNS:fapi.binance.com"), None, False),
            ("that has expired", authority.issue("old", here, "-days", "-1"), None, False),
            ("over TLS 1.1", authority.issue("weak", here), ssl.TLSVersion.TLSv1_1, False),
            ("that is in order", authority.issue("good", here), None, True),
        ]
        for kind, (path, key), newest, good in kinds:
            with Server(path, key, newest) as server, Home(rebal, server.url) as home:
                trusting = {**home.environment(), "SSL_CERT_FILE": authority.root}
                code, report = home.json("rebalance", env=trusting)
                that(f"a certificate {kind} ends with 4", (code, report.get("kind")) == (4, "unavailable"), (code, report))
                seen = wait_for(lambda: server.seen, 2) if good else server.seen
                that(f"a certificate {kind}: {'the request was' if good else 'not one byte of a request was'} sent",
                     server.connections >= 1 and bool(seen) == good, server.seen[:80])


certificates()
checks.end()
