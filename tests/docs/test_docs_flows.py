"""docs/flows.md shows a valid plan, and a compose file whose commands and names exist."""

from __future__ import annotations

import inspect
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pluton_rclone.cli.app import application
from pluton_rclone.flows.plan import check

from .pages import blocks, page


def test_the_plans_are_plans(tmp_path: Path) -> None:
    for number, text in enumerate(blocks(page("flows.md"), "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(text if text.startswith("name") else f'name = "part"\n{text}')
        assert check(file)[1] == []


@pytest.fixture
def compose() -> dict[str, Any]:
    (text,) = blocks(page("flows.md"), "yaml")
    found: dict[str, Any] = YAML(typ="safe").load(text)
    return found


def test_what_the_compose_file_names_is_in_it_and_prefect_knows_its_settings(
    compose: dict[str, Any],
) -> None:
    import prefect.settings  # 1.4 s of CPU, which every worker of pytest-xdist would spend

    services = compose["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        named = [volume.partition(":")[0] for volume in service.get("volumes", ())]
        assert {name for name in named if not name.startswith("/")} <= set(compose["volumes"])
        for name in service.get("environment", ()):
            if name.startswith("PREFECT_"):
                assert getattr(prefect.settings, name) is not None
    assert compose["services"]["server"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["postgres"]["healthcheck"]["test"][0] == "CMD"


def test_the_worker_of_the_compose_file_is_a_command_of_ours(compose: dict[str, Any]) -> None:
    words = shlex.split(compose["services"]["worker"]["command"])
    context = application.make_context("pluton-rclone", words[:1], resilient_parsing=True)
    command = application.get_command(context, words[0])
    assert command is not None
    with command.make_context(words[0], words[1:], parent=context) as parsed:
        assert (parsed.params["action"], parsed.params["limit"]) == ("worker", 4)


def test_the_server_of_the_compose_file_gets_the_address_of_its_database(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    from prefect.cli.server import start

    secret = tmp_path / "postgres"
    secret.write_text("pass-word\n")
    program = tmp_path / "prefect"
    program.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$PREFECT_API_DATABASE_CONNECTION_URL" "$@"\n',
    )
    program.chmod(0o755)
    command = compose["services"]["server"]["command"].replace("$$", "$")  # as compose does
    words = shlex.split(command.replace("/run/secrets/postgres", str(secret)))
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(words, env={"PATH": path}, capture_output=True, text=True, check=True)
    address, *arguments = done.stdout.split()
    assert address == "postgresql+asyncpg://prefect:pass-word@postgres/prefect"
    assert arguments == ["server", "start", "--host", "0.0.0.0"]
    assert "host" in inspect.signature(start).parameters
