"""``piproxy connect``: print a client's settings, or write them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from piproxy.cli.connect.clients import CLIENTS, ZED_PLACE, Client, zed_entry
from piproxy.cli.connect.jsonc import NotJsonc, loads
from piproxy.cli.connect.target import Target, read, write
from piproxy.cli.entries import MASK
from piproxy.cli.running import Running, running
from piproxy.cli.surroundings import Surroundings, surroundings
from piproxy.errors import ConfigError, ModelNotFound
from piproxy.jsontext import Json
from piproxy.server.selfsigned import FOLDER

NO_KEY: Final = "piproxy"
"""What clients send that insist on a key where none is wanted."""


@click.command(
    short_help="Print or write the settings of another program.",
    epilog="\b\nClients:\n" + "\n".join(f"  {name:<14} {client.about}" for name, client in CLIENTS.items()),
)
@click.argument("client", type=click.Choice(tuple(CLIENTS)), metavar="CLIENT")
@click.option("--model", metavar="ID", help="The model to begin with, by its public id; by default the first one.")
@click.option("--write", "apply", is_flag=True, help="Write them to the client's file; what it was is kept beside it.")
@click.option("--sync", is_flag=True, help="For zed: write only when the list of models has changed, and say how.")
@click.option("--auto", is_flag=True, help="For zed: as --sync, if the setting zed has autoSync=true.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="Another file than the client's usual one.")
@click.option("--reveal", is_flag=True, help="Print the token as it is.")
@click.option("--demo/--no-demo", default=None, help="With or without the demo provider.")
def connect(
    client: str,
    model: str | None,
    apply: bool,
    sync: bool,
    auto: bool,
    file: Path | None,
    reveal: bool,
    demo: bool | None,
) -> None:
    """Print what a client needs to use this proxy, or write it to the client's settings.

    The address is that of the proxy that runs, else that of the settings; with the demo provider if that has it.

    \b
    Example:
      piproxy connect curl | sh
      piproxy connect zed --write
    """
    around = surroundings(demo=demo)
    found = running(around)
    if demo is None and found.status.get("demo") is True:
        around = surroundings(demo=True)
    chosen = CLIENTS[client]
    path = file or chosen.path(around.environ, Path.home())
    if sync or auto:
        if client != "zed":
            raise ConfigError("--sync is for zed; the other clients are written with --write.")
        if not auto or around.effective.settings.zed.get("autoSync") is True:
            _sync(chosen, path, _target(around, found, model, reveal=True))
        return
    target = _target(around, found, model, reveal=reveal or apply, sockets=client == "curl" and not apply)
    if apply:
        _write(chosen, path, target)
    else:
        click.echo(chosen.shown(target), nl=False)
    if note := chosen.note(replace(target, token=target.token if reveal or not target.wants_token else MASK)):
        click.echo(note, err=True)
    if target.authority and (apply or client != "curl"):
        click.echo(
            f"The certificate is of a local authority, {target.authority}, which the client has to trust: with Python "
            "by SSL_CERT_FILE, with Node by NODE_EXTRA_CA_CERTS, else by the system's store.",
            err=True,
        )


def _target(around: Surroundings, found: Running, model: str | None, *, reveal: bool, sockets: bool = False) -> Target:
    exposure = around.exposure
    if not exposure.models:
        raise ConfigError(f"There is no model to offer: {exposure.why_empty}")
    try:
        first = exposure.public_id(exposure.resolve(model)) if model else exposure.ids[0]
    except ModelNotFound as error:
        raise ConfigError(f"{model}: no such model; piproxy models lists them.") from error
    settings = around.effective.settings
    token = settings.auth_token
    url, _, socket = found.url.partition("+unix:")
    if socket and not sockets:
        raise ConfigError(
            f"The proxy listens on the unix socket {socket} alone, where this client cannot find it; let it listen on "
            "a port, too, with bind."
        )
    authority = around.directory.root / FOLDER / "ca.pem"
    own = url.startswith("https:") and not settings.certfile and authority.exists()
    return Target(
        url=f"{url}://localhost/v1" if socket else f"{url}/v1",
        token=(token if reveal else MASK) if token else NO_KEY,
        model=first,
        models=tuple(exposure.by_public_id.items()),
        provider_name=str(settings.zed.get("providerName") or "Pi Proxy"),
        wants_token=bool(token),
        socket=socket,
        authority=str(authority) if own else "",
    )


def _write(client: Client, path: Path, target: Target) -> None:
    try:
        written = write(path, client.changed(read(path), target))
    except ConfigError as error:
        text = error.message if error.message.startswith(str(path)) else f"{path}: {error.message}"
        raise ConfigError(text) from error
    click.echo(written.told(path))


def _sync(client: Client, path: Path, target: Target) -> None:
    """Zed's list of models; the whole entry is ours."""
    new = zed_entry(target)
    try:
        old: Json = loads(read(path))
    except NotJsonc as error:
        raise ConfigError(f"{path}: {error}") from error
    for key in (*ZED_PLACE, target.provider_name):
        old = old.get(key) if isinstance(old, dict) else None
    if old == new:
        click.echo(f"{path}: up to date, {len(target.models)} models")
        return
    _write(client, path, target)
    listed = old.get("available_models") if isinstance(old, dict) else None
    before = {one["name"]: one for one in listed or () if isinstance(one, dict) and isinstance(one.get("name"), str)}
    after = {one["name"]: one for one in new["available_models"]}
    for what, names in (
        ("added", [name for name in after if name not in before]),
        ("removed", [name for name in before if name not in after]),
        ("changed", [name for name in after if name in before and before[name] != after[name]]),
    ):
        if names:
            click.echo(f"{what}: {', '.join(names)}")
