"""Bodies of requests, on a real server: streamed to disk, bounded in bytes and time, refused where they are wrong."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from edge.errors import OutputError
from edge.server import multipart, streams
from edge.server.app import _gone, _http, _ours
from edge.server.names import file_name, safe_name
from edge.server.problems import HttpError
from edge.server.protocol import Protocol
from edge.server.shield import Shield
from edge.server.uploads import receive
from tests.live import wait_until
from tests.wire import FORM, Answer, answer, ask, connection, form, head

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 2**20
LIMIT = 4 * MIB
SILENCE_S = 0.5
SCENE = bytes(range(256)) * 2000
CSV = ("Content-Type", "text/csv")


class Taken:
    """What `receive` made of the requests."""

    def __init__(self) -> None:
        self.folders: list[Path] = []


async def _longest_lag() -> float:
    """How long the event loop did nothing else at a time, s, until this is cancelled."""
    longest = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - begun)
    return longest


def _application(root: Path, taken: Taken) -> FastAPI:
    app = FastAPI()
    app.add_exception_handler(HttpError, _http)
    app.add_exception_handler(OutputError, _ours)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(Shield)

    @app.post("/take")
    async def take(request: Request, most: Annotated[int, Query()] = LIMIT) -> JSONResponse:
        folder = root / f"request-{len(taken.folders)}"
        folder.mkdir()
        taken.folders.append(folder)
        lag = asyncio.ensure_future(_longest_lag())
        try:
            upload = await receive(request, folder, most, SILENCE_S)
        finally:
            lag.cancel()
        files = {path.name: path.stat().st_size for path in folder.iterdir()}
        modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
        area = upload.area.name if upload.area else None
        told = {"name": upload.name, "area": area, "files": files, "private": modes == {0o600}}
        return JSONResponse({**told, "lag": await lag})

    return app


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Taken]]:
    """Port of a server, and what it has taken."""
    taken = Taken()
    app = _application(tmp_path_factory.mktemp("taken"), taken)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, http=Protocol))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1], taken
    server.should_exit = True
    thread.join(20)


def _post(live: tuple[int, Taken], body: bytes, *headers: tuple[str, str], query: str = "") -> Answer:
    sized = ("Content-Length", str(len(body)))
    return ask(live[0], head("POST", f"/take{query}", sized, *headers) + body, "POST")


def _taken(found: Answer) -> dict[str, Any]:
    assert found.status == 200, found.body
    told: dict[str, Any] = httpx.Response(200, content=found.body).json()
    assert told["private"]
    return told


def _refused(found: Answer, status: int, words: str, subject: str | None = None) -> None:
    assert found.status == status, found.body
    assert words in found.problem["detail"]
    assert found.problem.get("subject") == subject


# --- raw ---


def test_a_raw_body_becomes_a_private_file_under_the_clients_name(live: tuple[int, Taken]) -> None:
    told = _taken(_post(live, SCENE, ("Content-Type", "image/tiff"), query="?name=port%20A.tif"))
    assert told["files"] == {"port A.tif": len(SCENE)}
    assert (live[1].folders[-1] / "port A.tif").read_bytes() == SCENE


@pytest.mark.parametrize("kind", ["", "image/png", "text/html", "application/x-www-form-urlencoded", "a/b; c=d", "???"])
def test_the_declared_type_of_a_raw_body_does_not_matter(live: tuple[int, Taken], kind: str) -> None:
    assert _taken(_post(live, SCENE, ("Content-Type", kind)))["files"] == {"scene": len(SCENE)}


@pytest.mark.parametrize(
    "kind", ["application/json", "application/geo+json; a=b", "multipart/mixed; boundary=b", "MULTIPART/related"]
)
def test_json_and_other_forms_are_no_scene(live: tuple[int, Taken], kind: str) -> None:
    _refused(_post(live, SCENE, ("Content-Type", kind)), 415, "no scene", kind.partition(";")[0].lower())


def test_the_name_may_come_in_a_header(live: tuple[int, Taken]) -> None:
    header = ("Content-Disposition", 'attachment; filename="../quay \\"7\\".tif"')
    assert _taken(_post(live, SCENE, header))["name"] == "quay _7_.tif"
    assert _taken(_post(live, SCENE, header, query="?name=a.tif"))["name"] == "a.tif"


def test_a_body_in_chunks_is_taken(live: tuple[int, Taken]) -> None:
    body = b"%x\r\n%s\r\n5\r\nabcde\r\n0\r\n\r\n" % (len(SCENE), SCENE)
    found = ask(live[0], head("POST", "/take", ("Transfer-Encoding", "chunked")) + body, "POST")
    assert _taken(found)["files"] == {"scene": len(SCENE) + 5}


def test_an_empty_body(live: tuple[int, Taken]) -> None:
    _refused(_post(live, b""), 400, "the body is empty")
    _refused(ask(live[0], head("POST", "/take"), "POST"), 400, "the body is empty")


def test_an_encoded_body_is_refused(live: tuple[int, Taken]) -> None:
    for coding in ("gzip", "br", "identity, gzip", "x"):
        _refused(_post(live, SCENE, ("Content-Encoding", coding)), 415, "encoded", coding)
    _taken(_post(live, SCENE, ("Content-Encoding", "identity")))


# --- limits ---


def test_a_body_that_is_announced_too_long_is_refused_before_it_is_read(live: tuple[int, Taken]) -> None:
    with connection(live[0]) as end:
        end.sendall(head("POST", "/take", ("Content-Length", str(LIMIT + 1))))
        found = answer(end, "POST")
        assert (found.status, found.closed) == (413, True)
        assert end.recv(1) == b""  # it does not wait for the body
    assert not list(live[1].folders[-1].glob("*")) or not (live[1].folders[-1] / "scene").stat().st_size


def test_a_body_that_waits_to_be_asked_for_is_not_asked_for(live: tuple[int, Taken]) -> None:
    expects = ("Expect", "100-continue")
    with connection(live[0]) as end:
        end.sendall(head("POST", "/take", ("Content-Length", str(LIMIT + 1)), expects))
        assert answer(end, "POST").status == 413
    with connection(live[0]) as end:
        end.sendall(head("POST", "/take", ("Content-Length", "5"), expects))
        assert end.recv(25).startswith(b"HTTP/1.1 100")
        end.sendall(b"abcde")
        assert answer(end, "POST").status == 200


def test_a_body_that_turns_out_too_long_is_refused(live: tuple[int, Taken]) -> None:
    piece = b"%x\r\n%s\r\n" % (MIB, bytes(MIB))
    found = ask(live[0], [head("POST", "/take", ("Transfer-Encoding", "chunked")), *[piece] * 6], "POST")
    _refused(found, 413, f"longer than {LIMIT:,} bytes")
    assert found.closed
    assert (live[1].folders[-1] / "scene").stat().st_size <= LIMIT


def test_a_client_that_still_sends_a_long_body_reads_its_answer(live: tuple[int, Taken]) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(5):
            found = client.post(f"http://127.0.0.1:{live[0]}/take", params={"most": 1}, content=bytes(6 * MIB))
            assert found.status_code == 413


def test_a_connection_goes_on_after_a_short_body_that_was_not_read(live: tuple[int, Taken]) -> None:
    with connection(live[0]) as end:
        for _ in range(3):
            end.sendall(head("POST", "/nothing", ("Content-Length", "1000")) + bytes(1000))
            found = answer(end, "POST")
            assert (found.status, found.closed) == (404, False)


def test_silence_ends_a_body(live: tuple[int, Taken]) -> None:
    begun = time.monotonic()
    found = ask(live[0], head("POST", "/take", ("Content-Length", "100")) + b"a", "POST")
    _refused(found, 408, "nothing came for 0.5 s")
    assert found.closed
    assert time.monotonic() - begun < 10 * SILENCE_S


def test_a_byte_now_and_then_is_not_enough(live: tuple[int, Taken]) -> None:
    def drip() -> Iterator[bytes]:
        yield head("POST", "/take", ("Content-Length", "100000"))
        for _ in range(1000):
            yield b"a"
            time.sleep(0.02)

    begun = time.monotonic()
    _refused(ask(live[0], drip(), "POST"), 408, "less than 16,384 bytes/s")
    assert time.monotonic() - begun < 15  # it would take 20 s to send it all


def test_a_client_that_leaves_leaves_what_it_had_sent(live: tuple[int, Taken]) -> None:
    before = len(live[1].folders)
    with connection(live[0]) as end:
        end.sendall(head("POST", "/take", ("Content-Length", "100")) + b"abc")
        wait_until(lambda: len(live[1].folders) > before and (live[1].folders[-1] / "scene").exists())
    wait_until(lambda: (live[1].folders[-1] / "scene").read_bytes() == b"abc")


def test_a_full_disk_is_told(live: tuple[int, Taken], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> Any:  # noqa: ANN401 - a file
        path.touch()
        return Path("/dev/full").open("wb")

    monkeypatch.setattr("edge.server.uploads.create", full)
    _refused(_post(live, SCENE), 507, "no room", "scene")


def test_the_event_loop_goes_on_while_a_large_body_is_written(live: tuple[int, Taken]) -> None:
    size = 64 * MIB
    body = form(('name="scene"; filename="a.tif"', bytes(size)))
    told = _taken(_post(live, body, FORM, query=f"?most={2 * size}"))
    assert told["files"] == {"a.tif": size}
    assert told["lag"] < 0.25  # 10 ms where nothing else runs; a blocking write of 64 MiB takes longer on most disks


# --- forms ---


def test_a_form_becomes_files(live: tuple[int, Taken]) -> None:
    body = form(('name="scene"; filename="a.tif"', SCENE), ('name="aoi"; filename="b.geojson"', b"{}"))
    told = _taken(_post(live, body, FORM))
    assert told["files"] == {"a.tif": len(SCENE), "area.geojson": 2}
    assert (told["name"], told["area"]) == ("a.tif", "area.geojson")
    assert (live[1].folders[-1] / "a.tif").read_bytes() == SCENE


def test_the_area_may_be_a_field_and_come_first(live: tuple[int, Taken]) -> None:
    told = _taken(_post(live, form(("name=aoi", b"{}"), ("name=scene; filename=a.tif", SCENE)), FORM))
    assert told["files"] == {"a.tif": len(SCENE), "area.geojson": 2}


def test_a_scene_that_is_called_as_the_area_is_does_not_take_its_place(live: tuple[int, Taken]) -> None:
    body = form(("name=scene; filename=area.geojson", SCENE), ("name=aoi", b"{}"))
    assert _taken(_post(live, body, FORM))["files"] == {"scene-area.geojson": len(SCENE), "area.geojson": 2}


@pytest.mark.parametrize("size", [1, 7, 64 * 1024 - 1, 256 * 1024])
def test_content_is_kept_byte_by_byte_however_it_is_cut(live: tuple[int, Taken], size: int) -> None:
    content = b"\r\n--b0undar\r\n--b0undary\r\r\n-" * 3000 + b"\r" if size > 7 else b"\r\n--b0undar\r\n--b0undar\r"
    content = content.replace(b"\r\n--b0undary", b"\r\n--b0undarx")
    whole = head("POST", "/take", FORM, ("Content-Length", str(len(form(("name=scene", content))))))
    body = form(("name=scene", content))
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    _taken(ask(live[0], [whole, *pieces], "POST"))
    assert (live[1].folders[-1] / "scene").read_bytes() == content


SCENE_PART = ("name=scene; filename=a", b"x")


@pytest.mark.parametrize(
    ("body", "words", "subject"),
    [
        (form(("name=aoi", b"{}")), "no part called scene", None),
        (form(), "no part called scene", None),
        (form(SCENE_PART, SCENE_PART), "this part twice", "scene"),
        (form(SCENE_PART, ("name=aoi", b"{}"), ("name=aoi", b"{}")), "this part twice", "aoi"),
        (form(SCENE_PART, ("name=conf", b"0.5")), "unknown name", "conf"),
        (form(("name=scene; filename=a", b"")), "the part is empty", "scene"),
        (form(SCENE_PART, ("name=aoi", b"")), "the part is empty", "aoi"),
        (form(("filename=a", b"x")), "unknown name", None),
        (form(b"\r\nx"), "unknown name", None),
        (form(b"Content-Transfer-Encoding: base64\r\n\r\nAAAA"), "encoded", None),
        (form(b"A: " + b"b" * 4000 + b"\r\nC: " + b"d" * 4000 + b"\r\nE: " + b"f" * 400), "headers", None),
        (form(*[b"A: b\r\n\r\nx"] * 2), "unknown name", None),
        (form(SCENE_PART)[:-4], "before its last boundary", None),
        (form(SCENE_PART)[:60], "before its last boundary", None),
        (b"", "before its last boundary", None),
        (b"nothing of the kind", "malformed", None),
        (b"\r\n" * 200_000, "too much between", None),
        (b"--b0undary\r\nno header\r\n\r\nx\r\n--b0undary--\r\n", "malformed", None),
        (b"--b0undary\r\n: no name\r\n\r\nx\r\n--b0undary--\r\n", "malformed", None),
        (form(SCENE_PART) + bytes(300_000), "too much between", None),
    ],
)  # fmt: skip
def test_forms_that_are_not_right_are_refused(
    live: tuple[int, Taken], body: bytes, words: str, subject: str | None
) -> None:
    _refused(_post(live, body, FORM), 400, words, subject)


def test_too_many_parts_are_refused(live: tuple[int, Taken], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "MOST_PARTS", 1)
    _refused(_post(live, form(SCENE_PART, ("name=aoi", b"{}")), FORM), 400, "more than 1 parts")


def test_a_long_area_is_refused(live: tuple[int, Taken], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "MOST_AREA_BYTES", 10)
    _refused(_post(live, form(SCENE_PART, ("name=aoi", b"{" * 11)), FORM), 413, "longer than 10 bytes", "aoi")


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "x" * 71, '; boundary="\xe9"', "; bound=a"])
def test_boundaries_that_are_none(live: tuple[int, Taken], boundary: str) -> None:
    kind = ("Content-Type", "multipart/form-data" + boundary)
    _refused(_post(live, form(SCENE_PART), kind), 400, "no usable boundary")


def test_the_boundary_may_be_quoted(live: tuple[int, Taken]) -> None:
    kind = ("Content-Type", 'Multipart/Form-Data; charset=utf-8; Boundary="b0undary"')
    assert _taken(_post(live, form(SCENE_PART), kind))["name"] == "a"


# --- names ---

NAMES = [
    ("port.tif", "port.tif"),
    ("../../etc/passwd", "passwd"),
    ("/etc/cron.d/x", "x"),
    ("C:\\scenes\\a.tif", "a.tif"),
    ("..", "scene"),
    (".hidden", "hidden"),
    ("", "scene"),
    (None, "scene"),
    ("a\0b.tif", "a_b.tif"),
    ("a\r\nSet-Cookie: x.tif", "a__Set-Cookie_ x.tif"),
    ("gpj.\u202efit.tif", "gpj._fit.tif"),
    ("port\u2028a.tif", "port_a.tif"),
    ("a;b|c$(d)`e`.tif", "a_b_c_(d)_e_.tif"),
    ("ha\u0301fen.tif", "h\u00e1fen.tif"),
    ("港.tif", "港.tif"),
    ("x" * 300 + ".tif", "x" * 116 + ".tif"),
    ("港" * 300 + ".tif", "港" * 65 + ".tif"),
    ("trailing. . ", "trailing"),
    ("\ud800.tif", "_.tif"),
]


@pytest.mark.parametrize(("told", "name"), NAMES)
def test_names_of_clients_are_made_safe(told: str | None, name: str) -> None:
    assert safe_name(told) == name
    assert len(name.encode()) <= 200


@pytest.mark.parametrize(("told", "name"), [row for row in NAMES if row[0] and row[0].isprintable()])
def test_names_in_forms_are_made_safe(live: tuple[int, Taken], told: str, name: str) -> None:
    quoted = told.replace("\\", "\\\\")
    assert _taken(_post(live, form((f'name="scene"; filename="{quoted}"', b"x")), FORM))["name"] == name
    assert [path.name for path in live[1].folders[-1].iterdir()] == [name]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=a.tif", "a.tif"),
        ('form-data; name="scene"; filename="a \\"b\\".tif"', 'a "b".tif'),
        ("attachment; filename=a.tif; filename*=UTF-8''%E6%B8%AF.tif", "港.tif"),
        ("attachment; filename*=iso-8859-1'en'h%E1fen.tif", "háfen.tif"),
        ("attachment; filename=a.tif; filename*=koi8-r''x", "a.tif"),
        ("attachment; FILENAME=a.tif; filename=b.tif", "a.tif"),
        ('form-data; name="x; filename=b"; filename="a"', "a"),
        ("form-data; name=scene", None),
        ('form-data; filename="', ""),
        ("", None),
    ],
)
def test_the_name_in_a_disposition_is_found(header: str, name: str | None) -> None:
    assert file_name(header) == name


def test_a_file_is_written_whole_though_each_write_takes_a_part_of_it(tmp_path: Path) -> None:
    class Lazy:
        def __init__(self) -> None:
            self.seen = b""

        def write(self, data: memoryview) -> int:
            self.seen += bytes(data[:3])
            return len(data[:3])

        def flush(self) -> None:
            pass

    lazy = Lazy()
    streams.write(lazy, b"0123456789")  # type: ignore[arg-type]
    assert lazy.seen == b"0123456789"
    (tmp_path / "a").touch()
    with pytest.raises(OutputError):
        streams.create(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    with pytest.raises(OutputError):
        streams.create(tmp_path / "link")
