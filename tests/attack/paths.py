"""Reading and writing files that are nobody's business: by paths, names of files, ids."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from tests.attack.registry import attack
from tests.attack.target import tree
from tests.toy_model import scene_file
from tests.wire import FORM, Answer, form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.attack.target import Target

UP = (
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "%252e%252e%252f",
    "..%5c",
    "..\\",
    "....//",
    "..;/",
    "%c0%ae%c0%ae/",
    "..%00/",
)


@attack(400, 401, 404)
def files_beside_the_pages(target: Target) -> Iterable[Answer]:
    """The way out of /static by ten writings of ../, and absolute paths."""
    for up in UP:
        yield target.ask("GET", f"/static/{up * 8}etc/passwd", token=None)
        yield target.ask("GET", f"/static/{up}app.py", token=None)
    for path in ("/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/", "/static/vendor", "/static/../app.py"):
        yield target.ask("GET", path, token=None)


@attack(400, 404, 405, 422)
def ids_that_are_paths(target: Target) -> Iterable[Answer]:
    """Ids of jobs that lead out of the folder of jobs, in each route that takes one."""
    for up in UP:
        for end in ("", "/result", "/overlay", "/events", "/picture", "/tiles/0/0/0.jpg", "/crops/0.jpg", "/labels"):
            yield target.ask("GET", f"/v1/jobs/{up * 3}etc{end}")
        yield target.ask("DELETE", f"/v1/jobs/{up * 2}state")
    assert (target.folder / "state").is_dir()


@attack(403)
def paths_outside(target: Target) -> Iterable[Answer]:
    """Jobs whose path is outside of the allowed folder: up, absolute, devices, the server's own environment and key."""
    for path in (
        "/etc/passwd", "../secret.png", f"{target.root}/../secret.png", f"{target.root}-other/a", "/proc/self/environ",
        "/proc/self/fd/0", "/proc/self/root/etc/passwd", "/dev/zero", "/dev/stdin", "~/.ssh/id_rsa", "x" * 4000,
        str(target.folder / "token"), str(target.folder / "state" / "jobs.sqlite"), "..", "/", "\u2025/secret.png",
        "../" * 30 + "etc/passwd", f"{target.root}/./../secret.png", "file:///etc/passwd", "/vsizip//etc/passwd",
    ):  # fmt: skip
        found = target.job({"path": path})
        if found.status != 404 or path not in ("~/.ssh/id_rsa", "\u2025/secret.png", "x" * 4000, "file:///etc/passwd"):
            yield found  # the others are names in the folder, of nothing


@attack(403)
def symlinks_out(target: Target) -> Iterable[Answer]:
    """Jobs whose path goes by a symlink out of the allowed folder."""
    return [target.job({"path": path}) for path in ("out.png", f"{target.root}/out.png", "up/secret.png", "up/token")]


@attack(403)
def what_there_is(target: Target) -> Iterable[Answer]:
    """Asking by path which files the machine has: what is there and what is not must be answered alike."""
    there = [target.job({"path": path}) for path in ("/etc/passwd", "/etc", "/root", "/etc/shadow")]
    absent = [target.job({"path": path}) for path in ("/etc/nothing", "/nothing", "/root/nothing")]
    words = {json.loads(each.body)["detail"] for each in [*there, *absent]}
    assert len(words) == 1, words
    return [*there, *absent]


@attack(404, 422)
def no_files(target: Target) -> Iterable[Answer]:
    """A pipe, a folder and a loop of symlinks in the allowed folder: nothing may wait for them."""
    os.mkfifo(target.root / "pipe")
    (target.root / "loop").symlink_to("loop")
    (target.root / "empty").touch()
    return [target.job({"path": path}) for path in ("pipe", ".", "loop", "empty", "port.png/x")]


@attack(400, 422, 403)
def paths_that_are_none(target: Target) -> Iterable[Answer]:
    """Paths with NUL, of other types, of 1 MB."""
    for path in ("a\0b", "", None, 7, ["a"], {"a": 1}, True, "x" * 2**20):
        yield target.json("POST", "/v1/jobs", {"path": path})


@attack(202, 400)
def names_that_are_paths(target: Target) -> Iterable[Answer]:
    """File names that would be written elsewhere, or are no names: in forms, queries and headers."""
    scene = scene_file(target.folder / "own.png").read_bytes()
    before = tree(target.folder)
    for name in (
        "../../../../x.png", "/etc/cron.d/x", "C:\\x.png", "..", ".", ".ssh", "a/../../b", "x" * 5000,
        "con\u202egnp.exe", "port\u2028a.png", "a;b&c|d`e`$(f).png", "<img src=x onerror=alert(1)>.png", "jobs.sqlite",
        "document.json", "area.geojson", "GTIFF_DIR:1:/etc/passwd", "/vsicurl/http://127.0.0.1/", "%2e%2e%2f", "港.png",
        "-rf", "\\\\evil\\a",
    ):  # fmt: skip
        body = form(
            (f'name="scene"; filename="{name}"', scene), ("name=aoi", b'{"type":"FeatureCollection","features":[]}')
        )
        found = target.ask("POST", "/v1/jobs", FORM, body=body)
        if found.status == 202:
            told = json.loads(found.body)["scene"]
            assert "/" not in told
            assert "\\" not in told
            assert not told.startswith(".")
            assert told.isprintable()
            assert len(told.encode()) <= 200
            target.ended(found)
        yield found
    assert tree(target.folder) == before
    assert (target.folder / "state" / "jobs.sqlite").stat().st_size > 0


@attack(200)
def names_that_break_headers(target: Target) -> Iterable[Answer]:
    """Names with line breaks and quotes, which come back in Content-Disposition."""
    scene = scene_file(target.folder / "own.png").read_bytes()
    for name in ("a%0d%0aSet-Cookie:%20x=y", 'a"; filename="evil.exe', "a%22;%20filename=evil.exe", "港%E2%80%A8.png"):
        done = target.ended(
            target.ask("POST", f"/v1/jobs?name={name.replace(' ', '%20')}".replace("港", "%E6%B8%AF"), body=scene)
        )
        assert done.status == 200
        job = json.loads(done.body)["id"]
        for kind in ("csv", "coco", "json"):
            found = target.ask("GET", f"/v1/jobs/{job}/result?format={kind}")
            assert "set-cookie" not in found.headers
            told = found.headers["content-disposition"]
            assert told.startswith("attachment")
            assert "evil.exe" not in told.replace("_ filename=evil.exe", "").replace("_ filename=_evil.exe", "")
            yield found


@attack(200, 202, 404)
def names_in_the_folder_that_break_headers(target: Target) -> Iterable[Answer]:
    """Files of the allowed folder with line breaks and escapes in their names."""
    scene = scene_file(target.folder / "own.png").read_bytes()
    for name in ("a\r\nSet-Cookie: x=y.png", 'a"b.png', "a\x1b[2J.png", "\u202egnp.exe"):
        (target.root / name).write_bytes(scene)
        done = target.job({"path": name})
        assert done.status == 200
        job = json.loads(done.body)
        found = target.ask("GET", f"/v1/jobs/{job['id']}/result?format=csv")
        assert "set-cookie" not in found.headers
        yield found
