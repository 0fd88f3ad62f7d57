"""A Hub on the loopback: enough of its protocol for the unmodified client, and faults to order.

As a program: `python tests/hub_server.py FOLDER` prints its address and serves repositories ACCOUNT/NAME found below.
"""

import base64
import hashlib
import json
import re
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Hub:
    """Repositories in memory: {name: {commit: {file: bytes}}}, `main` the last. `faults` are consumed in order."""

    def __init__(self):
        self.repositories, self.requests, self.ranges, self.faults = {}, [], [], []
        self.private, self.tokens = {}, []
        self.lie = lambda method: {}  # headers in place of the honest ones, for each answer
        outer = self

        class Handler(Answers):
            hub = outer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, name, files):
        """Commit files; the commit's name."""
        commits = self.repositories.setdefault(name, {})
        before = next(reversed(commits.values())) if commits else {}
        oid = hashlib.sha1(repr((name, len(commits), sorted(files))).encode()).hexdigest()
        commits[oid] = before | files
        return oid

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def count(self):
        return Counter(method for method, _ in self.requests)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer()

    do_GET = do_POST = do_HEAD  # noqa: N815

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append((self.command, self.path))
        self.hub.tokens.append(self.headers.get("Authorization"))
        fault = next((f for f in self.hub.faults if f[0] == self.command and f[1] in self.path), None)
        if fault:
            self.hub.faults.remove(fault)
            if isinstance(fault[2], int):
                return self.reply(fault[2], b"no", **fault[3] if len(fault) > 3 else {})
            if fault[2] == "gone":
                return self.reply(404, b"", X_Error_Code=fault[3])
        path = self.path.split("?")[0]
        if match := re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", path):
            return self.file(match[1], unquote(match[2]), match[3], fault)
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.hub.repositories.setdefault(name, {})
            self.hub.private[name] = asked.get("private") or asked.get("visibility") == "private"
            return self.json({"url": f"{self.hub.url}/{name}", "id": name})
        if path == "/api/validate-yaml":
            return self.json({"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)/(preupload|commit)/main", path):
            return self.upload(*match.groups(), body)
        if match := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)/(revision|tree)/([^/]+)", path):
            return self.listing(*match.groups())
        return self.reply(404, b"", X_Error_Code="RepoNotFound")

    def listing(self, name, what, revision):
        commits = self.hub.repositories.get(name, {})
        oid = next(reversed(commits), None) if revision == "main" else revision
        if oid not in commits:
            return self.reply(404, b"", X_Error_Code="RevisionNotFound" if commits else "RepoNotFound")
        files = commits[oid].items()
        if what == "revision":
            return self.json({"id": name, "sha": oid, "siblings": [{"rfilename": file} for file, _ in files]})
        sizes = [{"path": file, "size": len(content)} for file, content in files]
        return self.json(
            [size | {"type": "file", "oid": hashlib.sha1(size["path"].encode()).hexdigest()} for size in sizes]
        )

    def upload(self, name, what, body):
        if what == "preupload":
            files = json.loads(body)["files"]
            return self.json(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            )
        lines = [json.loads(line) for line in body.splitlines()]
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
        }
        oid = self.hub.add(name, files)
        return self.json({"success": True, "commitOid": oid, "commitUrl": f"{self.hub.url}/{name}/commit/{oid}"})

    def file(self, name, revision, file, fault):
        commits = self.hub.repositories.get(name)
        if commits is None:
            return self.reply(404, b"", X_Error_Code="RepoNotFound")
        oid = next(reversed(commits)) if revision == "main" else revision
        if oid not in commits:
            return self.reply(404, b"", X_Error_Code="RevisionNotFound")
        if file not in commits[oid]:
            return self.reply(404, b"", X_Error_Code="EntryNotFound", X_Repo_Commit=oid)
        content = commits[oid][file]
        facts = {"X_Repo_Commit": oid, "ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Accept_Ranges": "bytes"}
        kind = fault[2] if fault else None
        if kind == "corrupt":
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.hub.ranges.append(self.headers.get("Range"))
        wanted, status = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""), 200
        whole = len(content)
        if wanted:
            first = int(wanted[1])
            last = int(wanted[2] or whole - 1)
            content, status = content[first : last + 1], 206
            facts["Content_Range"] = f"bytes {first}-{last}/{whole}"
        if kind == "short":  # says so, and keeps to it
            content = content[: len(content) // 2]
        if kind in ("cut", "stall"):
            return self.begin(content, kind, status, facts)
        return self.reply(status, content, **facts)

    def begin(self, content, kind, status, facts):
        self.headers_for(status, len(content), facts)
        self.wfile.write(content[: len(content) * 3 // 4])
        self.wfile.flush()
        if kind == "stall":
            threading.Event().wait(60)
        self.close_connection = True
        self.connection.close()

    def json(self, value):
        self.reply(200, json.dumps(value).encode(), Content_Type="application/json")

    def reply(self, status, content, **facts):
        self.headers_for(status, len(content), facts)
        if self.command != "HEAD":
            self.wfile.write(content)

    def headers_for(self, status, length, facts):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for key, value in (facts | self.hub.lie(self.command)).items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()


if __name__ == "__main__":
    from pathlib import Path

    served = Hub()
    for folder in Path(sys.argv[1]).glob("*/*"):
        served.add("/".join(folder.parts[-2:]), {p.name: p.read_bytes() for p in folder.iterdir()})
    print(served.url, flush=True)
    threading.Event().wait()
