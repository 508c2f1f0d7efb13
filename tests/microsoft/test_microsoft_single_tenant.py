"""A registration for one organisation: the real rclone, new and old, renews the tokens of our
sign-ins."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from pluton_rclone import process
from pluton_rclone.emulator import (
    PUBLIC_CLIENT_ID,
    SINGLE_TENANT_CLIENT_ID,
    SINGLE_TENANT_WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    WEB_REDIRECT_URI,
    Emulator,
)
from pluton_rclone.emulator.drives.files import Files
from pluton_rclone.microsoft.entra.app import AppRegistration
from pluton_rclone.microsoft.entra.device_code import begin_device_code
from pluton_rclone.microsoft.entra.redirect import begin_redirect, finish_redirect
from pluton_rclone.microsoft.entra.scopes import least
from pluton_rclone.microsoft.entra.sign_in import SignIn
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED
from pluton_rclone.rclone.binary import Binary, find_binary
from tests.rclone.debian import debian_rclone

from .waitless import Clock

TENANT = "contoso.onmicrosoft.com"
BERT = "bert@contoso.onmicrosoft.com"
PUBLIC = AppRegistration(SINGLE_TENANT_CLIENT_ID, tenant=TENANT)
WEB = AppRegistration(SINGLE_TENANT_WEB_CLIENT_ID, tenant=TENANT, client_secret=WEB_CLIENT_SECRET)


def public_sign_in(cloud: Emulator, clock: Clock, app: AppRegistration = PUBLIC) -> SignIn:
    code = begin_device_code(app, least())
    cloud.person(BERT).enter_device_code(code.user_code, code.verification_uri)
    return code.wait(clock)


def web_sign_in(cloud: Emulator) -> SignIn:
    flow = begin_redirect(WEB, least(), WEB_REDIRECT_URI)
    return finish_redirect(WEB, flow, cloud.person(BERT).visit(flow.url).answer)


@pytest.fixture(scope="session")
def old_rclone() -> Path:
    """Debian's, fetched before an emulator sets its proxy."""
    return debian_rclone()


def listed(
    binary: str | os.PathLike[str], cloud: Emulator, conf: Path, signed_in: SignIn, **options: str
) -> process.Completed:
    """`rclone lsf` of Bert's drive with an expired token, which rclone must renew first."""
    drive = cloud.world.part(Files).drive_of(BERT)
    drive.write("hello.txt", b"hello")
    ended = dataclasses.replace(signed_in.token, expiry=ALREADY_EXPIRED)
    section = {
        "type": "onedrive",
        "drive_id": drive.id,
        "drive_type": drive.kind,
        "token": ended.to_rclone(),
        **options,
    }
    conf.write_text("[od]\n" + "".join(f"{name} = {value}\n" for name, value in section.items()))
    argv = [
        os.fspath(binary),
        "--config",
        str(conf),
        "--low-level-retries",
        "1",
        "--retries",
        "1",
        "lsf",
        "od:",
    ]
    return process.run(argv, env=dict(os.environ), timeout=120)


def renewed(conf: Path) -> bool:
    (line,) = [line for line in conf.read_text().splitlines() if line.startswith("token = ")]
    return str(json.loads(line.removeprefix("token = "))["expiry"])[:4] != "2000"


def test_rclone_renews_for_a_public_client(cloud: Emulator, clock: Clock, tmp_path: Path) -> None:
    conf = tmp_path / "rclone.conf"
    signed_in = public_sign_in(cloud, clock)

    done = listed(
        find_binary().path, cloud, conf, signed_in, client_id=PUBLIC.client_id, tenant=PUBLIC.tenant
    )

    assert (done.returncode, done.stdout) == (0, b"hello.txt\n"), done.stderr.decode()
    assert renewed(conf)


def test_rclone_renews_with_a_secret(cloud: Emulator, tmp_path: Path) -> None:
    conf = tmp_path / "rclone.conf"
    signed_in = web_sign_in(cloud)

    done = listed(
        find_binary().path,
        cloud,
        conf,
        signed_in,
        client_id=WEB.client_id,
        client_secret=WEB_CLIENT_SECRET,
        tenant=WEB.tenant,
    )

    assert (done.returncode, done.stdout) == (0, b"hello.txt\n"), done.stderr.decode()
    assert renewed(conf)


def test_debians_rclone_which_does_not_know_tenant_renews_through_token_url(
    old_rclone: Path, cloud: Emulator, tmp_path: Path
) -> None:
    conf = tmp_path / "rclone.conf"
    signed_in = web_sign_in(cloud)

    done = listed(
        old_rclone,
        cloud,
        conf,
        signed_in,
        client_id=WEB.client_id,
        client_secret=WEB_CLIENT_SECRET,
        token_url=f"{WEB.authority}/oauth2/v2.0/token",
    )

    assert (done.returncode, done.stdout) == (0, b"hello.txt\n"), done.stderr.decode()
    assert renewed(conf)
    assert Binary(old_rclone).version < (1, 69)


def test_without_token_url_debians_rclone_asks_common_and_is_refused(
    old_rclone: Path, cloud: Emulator, tmp_path: Path
) -> None:
    conf = tmp_path / "rclone.conf"

    done = listed(
        old_rclone,
        cloud,
        conf,
        web_sign_in(cloud),
        client_id=WEB.client_id,
        client_secret=WEB_CLIENT_SECRET,
        tenant=WEB.tenant,  # it silently ignores this option
    )

    assert done.returncode != 0
    tokens = [request for request in cloud.requests if request.path.endswith("/token")]
    assert tokens[-1].path.startswith("/common/")


def test_debians_rclone_cannot_renew_for_a_public_client(
    old_rclone: Path, cloud: Emulator, clock: Clock, tmp_path: Path
) -> None:
    app = AppRegistration(PUBLIC_CLIENT_ID)

    done = listed(
        old_rclone,
        cloud,
        tmp_path / "rclone.conf",
        public_sign_in(cloud, clock, app),
        client_id=app.client_id,
    )

    assert done.returncode != 0  # it sends its own built-in secret: AADSTS700025
    assert not renewed(tmp_path / "rclone.conf")
