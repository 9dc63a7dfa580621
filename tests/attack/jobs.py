"""Jobs and words about them: other people's, absurd ones, too many."""

from __future__ import annotations

import json
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.attack.registry import attack
from tests.attack.target import TOKEN
from tests.toy_model import scene_file
from tests.wire import Answer, connection, head

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.attack.target import Target

QUOTES = (
    "' OR 1=1 --",
    "'; DROP TABLE jobs; --",
    '" OR ""="',
    "%' UNION SELECT 1,2,3 --",
    "1; ATTACH 'x' AS y",
    "\\'",
    "\ud83d'",
)
JSON = ("Content-Type", "application/json")


def _listed(target: Target) -> int:
    """Jobs that the server lists."""
    return len(json.loads(target.ask("GET", "/v1/jobs?limit=500").body)["jobs"])


def _done(target: Target) -> str:
    """Id of a job that is done."""
    body = scene_file(target.folder / "own.png").read_bytes()
    told = json.loads(target.ended(target.ask("POST", "/v1/jobs?name=a.png", body=body)).body)
    assert told["state"] == "done"
    found: str = told["id"]
    return found


@attack(400, 404, 422)
def sql_in_ids_and_filters(target: Target) -> Iterable[Answer]:
    """SQL in ids, states and limits."""
    before = _listed(target)
    for text in QUOTES:
        told = quote(text.encode("utf-8", "replace"), safe="")
        for path in (f"/v1/jobs/{told}", f"/v1/jobs?state={told}", f"/v1/jobs?limit={told}", f"/v1/jobs/{told}/result"):
            yield target.ask("GET", path)
        yield target.ask("DELETE", f"/v1/jobs/{told}")
    assert _listed(target) == before


@attack(200, 202, 422)
def sql_in_keys(target: Target) -> Iterable[Answer]:
    """SQL, line breaks and 1,000 characters in idempotency keys."""
    body = scene_file(target.folder / "own.png").read_bytes()
    for key in ("' OR 1=1 --", "'; DROP TABLE jobs; --", "x" * 1000, "", "a\x80b"):
        found = target.ask("POST", "/v1/jobs", ("Idempotency-Key", key), body=body)
        yield found
        target.ended(found)
    assert _listed(target) > 0


@attack(404)
def guessed_ids(target: Target) -> Iterable[Answer]:
    """Guessing ids: next to one that there is, in other case, shortened, empty, of other kinds."""
    known = _done(target)
    near = f"{int(known, 16) + 1:032x}"
    others = (near, known[:-1], f"{known}0", known.upper(), "0" * 32, secrets.token_hex(16), "latest", "1", "*", "%25")
    ends = ("", "/result", "/candidates", "/picture")
    return [target.ask("GET", f"/v1/jobs/{guess}{end}") for guess in others if guess != known for end in ends]


@attack(400, 409, 413, 422)
def json_that_is_absurd(target: Target) -> Iterable[Answer]:
    """Nesting without end, numbers without end, no numbers, doubled keys, other types, 9 MB."""
    deep = b'{"path":"a","aoi":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
    for body in (
        deep, b"[" * 500_000, b'{"a":' * 500_000, b'{"upload":{"name":"a","size":1' + b"0" * 5000 + b"}}",
        b'{"upload":{"name":"a","size":1e999}}', b'{"upload":{"name":"a","size":NaN}}',
        b'{"upload":{"name":"a","size":-1}}', b'{"upload":{"name":"a","size":1.5}}',
        b'{"upload":{"name":"a","size":"7"}}', b'{"upload":7}', b'{"upload":null}', b'{"path":"a","url":"b"}',
        b'{"path":"a","other":1}', b"{}", b"[]", b"null", b'"path"', b"", b"\xff\xfe{}", b'{"path":"\\ud800"}',
        b'{"path":"a"', b"{" + b'"a":1,' * 10**6, b'{"path":"' + b"x" * (9 * 2**20) + b'"}',
        b'{"upload":{"name":"a","size":5},"options":{"gsd":NaN}}', b'{"__proto__":{"path":"a"}}',
        b'{"upload":{"name":"a","size":5},"options":{"x":1}}', b'{"upload":{"name":"a","size":5},"aoi":[1]}',
    ):  # fmt: skip
        yield target.ask("POST", "/v1/jobs", JSON, body=body)


@attack(413, 422, 503, 507)
def uploads_that_claim_the_disk(target: Target) -> Iterable[Answer]:
    """Uploads in parts that announce more than there is room for."""
    for size in (2**60, 2**62, 10**15, 17 * 2**30):
        yield target.json("POST", "/v1/jobs", {"upload": {"name": "a.tif", "size": size}})


@attack(400, 404, 409, 413, 422)
def parts_that_do_not_fit(target: Target) -> Iterable[Answer]:
    """Parts of an upload at other offsets, beyond its end, of jobs that have none."""
    told = json.loads(target.json("POST", "/v1/jobs", {"upload": {"name": "a.tif", "size": 100}}).body)
    where = f"/v1/jobs/{told['id']}/scene"
    for offset in ("1", "-1", "99", "100", "10" * 200, "0x0", "1.5", "NaN", "", "0, 5"):
        yield target.ask("PATCH", where, ("Upload-Offset", offset), body=b"x" * 10)
    yield target.ask("PATCH", where, body=b"x")
    yield target.ask("PATCH", where, ("Upload-Offset", "0"), body=b"x" * 101)
    yield target.ask("PATCH", f"/v1/jobs/{_done(target)}/scene", ("Upload-Offset", "0"), body=b"x")
    yield target.ask("PATCH", f"/v1/jobs/{'0' * 32}/scene", ("Upload-Offset", "0"), body=b"x")
    assert target.ask("DELETE", f"/v1/jobs/{told['id']}").status == 204


@attack(200, 204, 400, 413, 422)
def marks_that_are_absurd(target: Target) -> Iterable[Answer]:
    """Marks with no numbers, numbers without end, 10^6 boxes, other types, markup."""
    where = f"/v1/jobs/{_done(target)}/marks"
    corners = [[0, 0], [9, 0], [9, 9], [0, 9]]
    many: list[Any] = [{"id": 0, "mark": "right"}] * 10**5
    bodies = [
        b'{"marks":' + b"[" * 100_000, b'{"missing":[{"corners":[[NaN,0],[1,0],[1,1],[0,1]]}]}', b"[]", b"7", b"", b"{",
        b'{"missing":[{"corners":[[1e308,0],[1e308,1],[-1e308,1],[0,0]]}]}', json.dumps({"marks": many}).encode(),
        json.dumps({"missing": [{"corners": corners, "kind": "<script>alert(1)</script>"}] * 50_000}).encode(),
        json.dumps({"marks": {"0": "../../etc/passwd", "-1": "right", "10" * 500: "wrong"}}).encode(), b"\xff" * 100,
    ]  # fmt: skip
    for body in bodies:
        yield target.ask("PUT", where, JSON, body=body)
    yield target.ask("GET", where)


@attack(200, 400, 404, 410, 422)
def pictures_that_are_not_there(target: Target) -> Iterable[Answer]:
    """Tiles and crops at negative, huge and fractional places."""
    job = _done(target)
    for place in ("-1/0/0", "0/-1/0", "99/0/0", "0/999999999/0", "0/1e9/0", "10" * 300 + "/0/0", "0/0/0.5", "NaN/0/0"):
        yield target.ask("GET", f"/v1/jobs/{job}/tiles/{place}.jpg")
    for n in ("-1", "999999", "1e9", "10" * 300, "NaN", "../0"):
        yield target.ask("GET", f"/v1/jobs/{job}/crops/{n}.jpg")
    for query in ("format=exe", "format=../csv", "format=", "format=csv&format=json", "format[]=csv"):
        yield target.ask("GET", f"/v1/jobs/{job}/result?{query}")


@attack(200, 206, 400, 416)
def ranges_without_end(target: Target) -> Iterable[Answer]:
    """Asking for 5,000 overlapping ranges of a file: a short request for a long answer."""
    job = _done(target)
    for ranges in (
        "0-," * 1500 + "0-",
        ",".join(f"{n}-" for n in range(2000)),
        "-" * 1000,
        "0-18446744073709551616",
        "5-1",
    ):
        for path in (f"/v1/jobs/{job}/result?format=coco", f"/v1/jobs/{job}/overlay"):
            begun = time.monotonic()
            found = target.ask("GET", path, ("Range", f"bytes={ranges}"))
            assert time.monotonic() - begun < 2
            assert len(found.body) < 10 * 2**20
            yield found


@attack(200)
def many_who_watch(target: Target) -> Iterable[Answer]:
    """100 clients that watch a job whose scene never comes: others are still answered."""
    told = json.loads(target.json("POST", "/v1/jobs", {"upload": {"name": "a.tif", "size": 100}}).body)
    request = head("GET", f"/v1/jobs/{told['id']}/events", ("Authorization", f"Bearer {TOKEN}"))
    held = [connection(target.port) for _ in range(100)]
    try:
        for each in held:
            end = each.__enter__()
            end.sendall(request)
            assert end.recv(12) == b"HTTP/1.1 200"
        yield target.ask("GET", "/v1/jobs")
    finally:
        for each in held:
            each.__exit__(None, None, None)
        target.ask("DELETE", f"/v1/jobs/{told['id']}")


@attack(202, 503)
def jobs_without_end(target: Target) -> Iterable[Answer]:
    """300 uploads that are announced and never sent: there must be an end to what is taken, and others go on."""
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(target.json, "POST", "/v1/jobs", {"upload": {"name": "a", "size": 9}}) for _ in range(300)]
    found = [each.result() for each in asked]
    taken = [json.loads(each.body)["id"] for each in found if each.status == 202]
    assert target.count(scene_file(target.folder / "own.png").read_bytes()).status == 200
    for job in taken:
        assert target.ask("DELETE", f"/v1/jobs/{job}").status == 204
    assert any(each.status == 503 for each in found)
    return found


@attack(404, 204, 409, 410)
def deleting_all_the_time(target: Target) -> Iterable[Answer]:
    """Deleting a job by eight clients at once while it is read by others."""
    job = _done(target)
    found: list[Answer] = []
    reads = [threading.Thread(target=target.ask, args=("GET", f"/v1/jobs/{job}/result")) for _ in range(8)]
    ends = [threading.Thread(target=lambda: found.append(target.ask("DELETE", f"/v1/jobs/{job}"))) for _ in range(8)]
    for each in [*reads, *ends]:
        each.start()
    for each in [*reads, *ends]:
        each.join()
    return [*found, target.ask("GET", f"/v1/jobs/{job}")]
