"""An Emfit QS bed sensor: a small HTTP server with the page that the device shows, `KEY=VALUE<br>` in lines."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class EmfitQs:
    """What the strip feels. Rates per minute, None while it does not know them."""

    def __init__(self, port: int = 0) -> None:
        """Take a port of this machine, a free one unless it is given; nobody is answered before `start`. Raises OSError."""
        self.is_in_bed = True
        self.heart_rate: float | None = 61.0
        self.respiration: float | None = 14.2
        self.activity = 35
        self.uptime_s = 84_213
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def path(self) -> str:
        """What `[[port]] path` is to be."""
        return f"http://127.0.0.1:{self._server.server_port}/dvmstatus.htm"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def page(self) -> str:
        """The page as it is now."""
        self.uptime_s += 1
        is_known = self.is_in_bed
        values = {
            "SER": "002177",
            "PRES": int(self.is_in_bed),
            "TS": 0,
            "TS_R": self.uptime_s,
            "HR": f"{(is_known and self.heart_rate) or 0:g}",
            "RR": f"{(is_known and self.respiration) or 0:g}",
            "ACT": self.activity if self.is_in_bed else 0,
        }
        return "".join(f"{key}={value}<br>\r\n" for key, value in values.items())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, sensor: EmfitQs, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.sensor = sensor


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if not isinstance(self.server, _Server) or self.path != "/dvmstatus.htm":
            self.send_error(404)
            return
        page = self.server.sensor.page().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """A device keeps no log."""
