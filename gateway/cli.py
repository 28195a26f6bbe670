"""The commands. Each reads its arguments, starts one thing, and turns a failure into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration (contract, "Commands").
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from importlib.metadata import version
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import click

from gateway import backups, cli_refund, config, demo, logs, router_setup
from gateway.audit_table import run_audit
from gateway.checks import run_checks
from gateway.clock import SystemClock
from gateway.daemon import Daemon, running
from gateway.errors import GatewayError, Internal, NotStored
from gateway.hotspot.setup.plan import Installation
from gateway.identity import MacAddress, Secret
from gateway.notify import notify, watchdog_s
from gateway.passwords import hash_password
from gateway.rotation import rotate

log = logging.getLogger(__name__)

DEFAULT_CONFIG = Path("/etc/hotspot-gateway/config.yaml")
MIN_PASSWORD_CHARS = 8  # NIST SP 800-63B, 5.1.1.1; who writes it into the configuration himself may do as he likes
PORT = click.IntRange(0, 65_535)

_config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=lambda: os.environ.get("HOTSPOT_GATEWAY_CONFIG", DEFAULT_CONFIG),
    show_default=f"$HOTSPOT_GATEWAY_CONFIG, then {DEFAULT_CONFIG}",
    help="The configuration file.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("hotspot-gateway"))
@click.option("--debug", is_flag=True, help="Log more: what is tried again, and why.")
def main(*, debug: bool) -> None:
    """Sells WiFi on a MikroTik hotspot for M-Pesa.

    Try it without a router and without money: hotspot-gateway demo
    """
    logs.set_up(debug=debug)


@main.command()
@_config_option
def run(path: Path) -> None:
    """Run the daemon in the foreground.

    It logs to stderr. SIGTERM and Ctrl+C end it; SIGHUP makes it read its configuration again.
    """
    _finish(lambda: _run(path))


@main.command("demo")
@click.option("--port", type=PORT, default=8080, show_default=True, help="Where the portal listens; 0 for any free port.")
def demonstrate(port: int) -> None:
    """Try it: everything but the daemon is simulated.

    A router, IntaSend and two phones run beside the daemon; it says what to open in your browser. Ctrl+C ends it.
    """
    _finish(lambda: demo.run(port, _until_signalled, click.echo))


@main.command()
@_config_option
def check(path: Path) -> None:
    """Show what is wrong, in one table.

    Reads the configuration, tries what it names, and changes nothing. Exit code 0: all is well; 1: something is wrong;
    2: the configuration cannot be read.
    """
    logging.getLogger("gateway").setLevel(logging.CRITICAL)  # the table says it
    with _exit_codes():
        sys.exit(asyncio.run(run_checks(config.load(path), click.echo)))


@main.command()
@_config_option
def audit(path: Path) -> None:
    """Show whether what must hold does: money, time, access.

    Reads the database beside a running gateway, asks the routers and IntaSend, and changes nothing. Exit code 0: all of it holds;
    1: something is broken, or could not be checked.
    """
    logging.getLogger("gateway").setLevel(logging.CRITICAL)  # the table says it
    with _exit_codes():
        sys.exit(asyncio.run(run_audit(config.load(path), click.echo)))


@main.command()
@click.argument("which", type=click.Choice(["router", "intasend"]))
@click.option("--port", type=PORT, default=0, help="Where it listens; any free port by default.")
def simulate(which: str, port: int) -> None:
    """Run one simulator by itself.

    For people who write portals, or another gateway. It says where it listens and what opens it.
    """
    _finish(lambda: demo.simulate(which, port, _stopped, click.echo))


@main.command("router-script")
@_config_option
@click.option("--router", "router_id", type=int, required=True, help="Its id in the configuration.")
@click.option("--gateway-address", type=IPv4Address, help="Where the router sees the gateway. Default: the address in public_url.")
@click.option("--gateway-mac", type=MacAddress.parse, metavar="MAC", help="Of a gateway on the hotspot's network. Default: found.")
@click.option("--links", is_flag=True, help="Phones may open IntaSend's payment pages before they have paid.")
@click.option("--inline", is_flag=True, help="Carry the pages along; otherwise the router fetches them from the running gateway.")
@click.option("--with-password", is_flag=True, help="Print the gateway's password into the script.")
@click.option("--apply", "applied", is_flag=True, help="Do it over the API instead of printing a script.")
@click.option("--dry-run", is_flag=True, help="Show what --apply would do.")
@click.option("--username", default="admin", show_default=True, help="With --apply: who may make users on the router.")
@click.option("--password-file", type=click.Path(path_type=Path), help="With --apply: that user's password. Default: it asks.")
@click.option("--plain", is_flag=True, help="With --apply: without TLS, while api-ssl has no certificate yet.")
@click.option("--port", type=PORT, help="With --apply: another port than the configured one.")
def router_script(path: Path, **given: Any) -> None:
    """Print the RouterOS script that prepares a router.

    It can be run again at any time: it writes only what differs. With --apply or --dry-run nothing is printed but what is done.
    Exit code 0: the router is as it should be; 1: something is left to do.
    """
    with _exit_codes():
        site = _installation(config.load(path), given)
        if not (given["applied"] or given["dry_run"]):
            click.echo(router_setup.printed(site, with_password=given["with_password"]), nl=False)
            return
        password = _password_of(given["username"], given["password_file"])
        admin = router_setup.admin_login(site.login, given["username"], password, plain=given["plain"], port=given["port"])
        sys.exit(asyncio.run(router_setup.apply(site, admin, click.echo, dry=given["dry_run"])))


def _installation(configuration: config.Config, given: dict[str, Any]) -> Installation:
    wishes = router_setup.Wishes(
        given["router_id"], given["gateway_address"], given["gateway_mac"], links=given["links"], inline=given["inline"]
    )
    try:
        return router_setup.installation(configuration, wishes)
    except ValueError as fault:
        raise click.UsageError(str(fault)) from None


def _password_of(username: str, path: Path | None) -> Secret:
    if path is not None:
        return Secret(path.read_text("utf-8").rstrip("\r\n"))
    if not sys.stdin.isatty():
        raise click.UsageError("there is nobody to ask for the password: give --password-file")
    return Secret(click.prompt(f"Password of {username} on the router", hide_input=True))


@main.command("hash-password")
def print_password_hash() -> None:
    """Print what to write as password_hash into the configuration.

    It asks for the password twice; piped into it, the first line is the password.
    """
    piped = not sys.stdin.isatty()
    text = sys.stdin.readline().rstrip("\r\n") if piped else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(text) < MIN_PASSWORD_CHARS:
        raise click.UsageError(f"a password has at least {MIN_PASSWORD_CHARS} characters")
    click.echo(hash_password(Secret(text)))


@main.command("rotate-key")
@_config_option
def rotate_key(path: Path) -> None:
    """Seal every stored secret with a new key.

    The gateway must be stopped. Its own key is replaced; where the configuration names keys, the first one seals from now on.
    It can be interrupted at any point and run again.
    """
    _finish(lambda: _rotate_key(path))


@main.command("backup")
@_config_option
def make_backup(path: Path) -> None:
    """Make a backup of the database now.

    The gateway may be running. One a day is made without this, and one before each upgrade of the database.
    """
    _finish(lambda: _say(backups.back_up(config.load(path), SystemClock())))


@main.command()
@_config_option
@click.argument("backup", default="newest")
def restore(path: Path, backup: str) -> None:
    """Put a backup in the database's place.

    BACKUP is a file, a name in the folder of backups, or `newest`. The gateway must be stopped. What was there is kept beside it.
    What was sold since the backup was made is read again from IntaSend and the routers at the next start.
    """
    _finish(lambda: _say(backups.restore(config.load(path), backup, SystemClock())))


@main.command()
@_config_option
@click.argument("payment_id")
def refund(path: Path, payment_id: str) -> None:
    """Ask IntaSend to give back what is owed for a payment, once.

    For payments that are refund-due: paid and not delivered, disputed, or paid twice. The gateway must be running. What nobody
    has used yet is taken back first. Run again, it says how the first request stands.
    """
    _finish(lambda: _say(cli_refund.refund(config.load(path), payment_id, SystemClock())))


async def _say(work: Coroutine[Any, Any, str]) -> None:
    click.echo(await work)


async def _rotate_key(path: Path) -> None:
    click.echo(await rotate(config.load(path)))


async def _run(path: Path) -> None:
    async with running(config.load(path), SystemClock()) as daemon:
        with _on_hangup(lambda: daemon.scheduler.in_hand(_reload(daemon, path))):
            await daemon.look_around()
            notify("READY=1")
            if (within_s := watchdog_s()) is not None:
                daemon.be_watched(within_s, notify)
            log.info("ready on port %s", daemon.port, extra={"action": "ready"})
            try:
                await _until_signalled(daemon)
            finally:
                notify("STOPPING=1")


async def _reload(daemon: Daemon, path: Path) -> None:
    """Read the file again; a faulty one is reported and the old one stays, as it does while the disk takes nothing."""
    try:
        await daemon.take(config.load(path))
    except NotStored as fault:
        text = "the disk takes nothing (%s), the old configuration stays: make room and reload again"
        log.error(text, fault.__cause__, extra={"action": "reload_failed"})  # noqa: TRY400 - a sentence
    except (config.ConfigError, GatewayError) as fault:
        log.error("the configuration is faulty, the old one stays:\n%s", fault, extra={"action": "reload_failed"})  # noqa: TRY400
    else:
        log.info("configuration read again", extra={"action": "reloaded"})


async def _until_signalled(daemon: Daemon) -> None:
    """Wait for SIGTERM or SIGINT. Raises Internal when a job dies; the log has the whole story."""
    jobs, stopped = asyncio.ensure_future(daemon.scheduler.run()), asyncio.ensure_future(_stopped())
    try:
        await asyncio.wait({jobs, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if jobs.done():
            raise Internal(f"stopped, because a job died: {jobs.exception()!r}")
    finally:
        jobs.cancel()
        stopped.cancel()


async def _stopped() -> None:
    stop = asyncio.Event()
    _when_told_to_stop(stop.set)
    await stop.wait()


async def _stoppable(work: Coroutine[Any, Any, None]) -> None:
    """Do it. Whoever tells it to stop before it waits for that, in the middle of a start, makes it close what it has opened."""
    doing = asyncio.ensure_future(work)
    _when_told_to_stop(doing.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await doing


def _when_told_to_stop(react: Callable[[], object]) -> None:
    """What SIGTERM and SIGINT do from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, react)


@contextlib.contextmanager
def _on_hangup(react: Callable[[], object]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, react)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _finish(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with _exit_codes(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_stoppable(work()))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster loop where there is a wheel of it; asyncio's own otherwise."""
    try:
        import uvloop  # noqa: PLC0415 - not installed on every machine
    except ImportError:
        return None
    return uvloop.new_event_loop


@contextlib.contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except config.ConfigError as fault:
        click.echo(str(fault), err=True)
        sys.exit(2)
    except GatewayError as fault:
        click.echo(f"hotspot-gateway: {fault}", err=True)
        sys.exit(1)
    except OSError as fault:
        where = f"{fault.filename}: " if fault.filename else ""
        click.echo(f"hotspot-gateway: {where}{fault.strerror or fault}", err=True)
        sys.exit(1)
