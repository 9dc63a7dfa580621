"""What deploys the server: the unit of systemd, the compose file and the image's recipe fit the program."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from edge import cli
from edge.commands.serve import settings_of
from edge.server.run import LEAVE_S
from edge.server.settings import Settings
from tests.process import REPOSITORY, process

if TYPE_CHECKING:
    from pathlib import Path

UNIT = REPOSITORY / "deploy" / "tanker-edge.service"
TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of a test
GRACE_S = next(f.default for f in fields(Settings) if f.name == "grace_s")


def unit() -> dict[str, list[str]]:
    """Values of each key of the unit, in their order."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def compose() -> dict[str, Any]:
    """The one service of the compose file."""
    document = yaml.safe_load((REPOSITORY / "deploy" / "compose.yaml").read_text())
    (service,) = document["services"].values()
    return dict(service)


def recipe() -> str:
    """The Dockerfile, with continued lines joined."""
    return (REPOSITORY / "Dockerfile").read_text().replace("\\\n", " ")


def instruction(name: str) -> Any:  # noqa: ANN401 - what the JSON holds
    """The JSON of the last instruction of a name."""
    return json.loads(re.findall(rf"^{name} .*?(\[.*\])$", recipe(), re.MULTILINE)[-1])


def settings(words: list[str], token_file: Path) -> Settings:
    """What the server would make of a command line; its token file is another here."""
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    words = [re.sub(r"\$\{CREDENTIALS_DIRECTORY\}/token|/run/secrets/[\w-]+", str(token_file), word) for word in words]
    return settings_of(cli.build_parser("serve").parse_args(words))


def test_the_unit_starts_the_server_as_it_says(tmp_path: Path) -> None:
    (line,) = unit()["ExecStart"]
    program, *words = shlex.split(line)
    assert program.endswith("/tanker-edge")
    found = settings(words, tmp_path / "token")
    assert found.token == TOKEN
    assert found.on_loopback
    assert unit()["LoadCredential"][0].startswith("token:")
    assert unit()["Type"] == ["notify"]
    assert unit()["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_nobody_ends_the_server_before_it_has_ended(tmp_path: Path) -> None:
    assert float(unit()["TimeoutStopSec"][0]) > GRACE_S + LEAVE_S
    assert float(compose()["stop_grace_period"].removesuffix("s")) > GRACE_S + LEAVE_S
    assert settings(compose()["command"], tmp_path / "token").lame_duck_s == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """The program must be there for that; `true` stands in for it."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/tanker-edge/bin/tanker-edge serve", f"{shutil.which('true')} serve"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_finds_the_unit_well_locked_down() -> None:
    """2 of 10 and less is what it calls OK."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(UNIT)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd is older than 250")
    assert done.returncode == 0, done.stdout


def test_the_compose_file_starts_the_server_as_it_says(tmp_path: Path) -> None:
    service = compose()
    assert all("=" in word for word in service["command"][1:])
    found = settings(service["command"], tmp_path / "token")
    assert (found.token, found.host, found.port) == (TOKEN, "0.0.0.0", 8080)  # noqa: S104 - in the container
    assert service["ports"] == ["127.0.0.1:8080:8080"]
    assert service["secrets"] == ["tanker-edge-token"]
    volumes = dict(entry.split(":")[::-1] for entry in service["volumes"])
    assert str(found.state) in volumes
    assert service["environment"]["TMPDIR"] in volumes


def test_the_container_is_locked_down() -> None:
    service = compose()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "10001:10001"
    assert {"mem_limit", "pids_limit"} <= set(service)
    assert "privileged" not in service


def test_the_image_is_made_of_what_the_wheel_is_built_from() -> None:
    lines = re.findall(r"^COPY (?!--from)(.*)$", recipe(), re.MULTILINE)
    copied = {word for line in lines for word in line.split()}
    sent = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"pyproject.toml", "README.md", "LICENSE", "edge", "models", "samples"} == sent
    assert sent <= copied


def test_the_image_runs_as_a_plain_user_and_needs_a_token(tmp_path: Path) -> None:
    text = recipe()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    assert instruction("ENTRYPOINT") == ["tanker-edge"]
    words = instruction("CMD")
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", *words, "--state", str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no token is set; set one (--token-file, or TANKER_EDGE_TOKEN)" in done.stderr
    found = settings([*words, "--token-file", "/run/secrets/token"], tmp_path / "token")
    assert f"-m 700 {found.state}" in text


def test_the_health_checks_tell_a_ready_server_from_none(tmp_path: Path) -> None:
    """Both are the same Python, which is in the image; here it asks another port."""
    check = compose()["healthcheck"]["test"][1:]
    assert check == instruction("HEALTHCHECK")
    with process(tmp_path, env={"TANKER_EDGE_TOKEN": TOKEN}) as server:
        port = str(server.wait_for("ready")["port"])
        program = [sys.executable, *(word.replace("8080", port) for word in check[1:])]
        assert subprocess.run(program, check=False, timeout=30).returncode == 0
    gone = subprocess.run(program, check=False, timeout=30, stderr=subprocess.DEVNULL)
    assert gone.returncode != 0
