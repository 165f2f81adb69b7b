"""`make serve`, and what it says where it cannot."""

import http.server
import socket

import pytest

from tools import serve
from tools.stop import Stop


@pytest.fixture
def built(tmp_path, monkeypatch):
    html = tmp_path / "_build" / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("the book")
    monkeypatch.setattr(serve, "ROOT", tmp_path)


def test_not_built_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "ROOT", tmp_path)
    with pytest.raises(Stop, match="run `make book` first"):
        serve.main([])


@pytest.mark.usefixtures("built")
def test_port_in_use():
    with socket.socket() as taken:
        taken.bind((serve.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Stop, match=f"Port {port} cannot be used"):
            serve.main(["--port", str(port)])


@pytest.mark.usefixtures("built")
def test_serves_this_machine_only(monkeypatch, capsys):
    hosts = []

    def stop(self):
        hosts.append(self.server_address[0])

    monkeypatch.setattr(http.server.ThreadingHTTPServer, "serve_forever", stop)
    assert serve.main(["--port", "0"]) == 0
    assert hosts == ["127.0.0.1"]
    assert "http://127.0.0.1" in capsys.readouterr().out
