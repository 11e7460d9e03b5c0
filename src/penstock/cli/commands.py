"""What each command does, one function a command: options in, exit code out. Results go to stdout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import ApplicationError, ConfigError
from penstock.server.config import SETTINGS
from penstock.server.identity import enter_directory
from penstock.server.settings import Settings, resolve_settings

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from penstock.http.handler import Handler
    from penstock.server.config import Config


def run(options: Namespace) -> int:
    """`penstock run`: serve until told to stop."""
    config = _resolve(options).config
    return _serve(lambda: _load(options.application, config), config, options.application)


def _load(path: str, config: Config) -> Handler:
    """Load the application. In development its author sees where an import failed; one that is reloaded
    tells by itself.
    """
    from penstock.cli.load import load_application

    try:
        return load_application(path, config.interface)
    except ApplicationError as error:
        if config.development and not config.reload and error.__cause__ is not None:
            from penstock.observe.failures.development import show

            show(error.__cause__)
        raise


def dev(options: Namespace) -> int:
    """`penstock dev`: `run --reload`."""
    options.reload = True
    return run(options)


def static(options: Namespace) -> int:
    """`penstock static`: serve a directory until told to stop."""
    from penstock.cli.static import make_site

    config = _resolve(options).config
    if config.is_supervised:
        make_site(options)  # what is wrong with it is said once, and now
    return _serve(lambda: make_site(options), config, options.directory)


def _serve(load: Callable[[], Handler], config: Config, path: str) -> int:
    if config.is_supervised:
        from penstock.server.several import supervise as serve
    else:
        from penstock.server.alone import serve_alone as serve
    code: int = serve(load, config, application_path=path)
    return code


def new(options: Namespace) -> int:
    """`penstock new`: a project in a new folder here."""
    from penstock.cli.new import describe, make_project

    make_project(options.name, _working_directory())
    print(describe(options.name))
    return 0


def routes(options: Namespace) -> int:
    """`penstock routes`: every route in the order of declaration; HEAD and OPTIONS come by themselves."""
    from penstock import App
    from penstock.cli.load import load_application

    application = load_application(options.application)
    if not isinstance(application, App):
        raise ConfigError(f"{options.application!r} has no list of routes: it is not a penstock.App")
    rows = [(",".join(row.methods), row.path, row.name, row.handler, row.run) for row in application.routes()]
    _print_table([("METHOD", "PATH", "NAME", "HANDLER", "RUNS AS"), *rows])
    return 0


def openapi(options: Namespace) -> int:
    """`penstock openapi`: the OpenAPI document of an application."""
    from penstock.cli.openapi import describe

    return describe(options)


def check(options: Namespace) -> int:
    """`penstock check`: the settings in force and their sources; the application too, when one is named."""
    settings = _resolve(options)
    rows = [
        (
            setting.key,
            setting.kind.show(getattr(settings.config, setting.name)),
            settings.sources[setting.name],
        )
        for setting in SETTINGS
    ]
    _print_table(rows)
    _check_start(settings.config)
    if options.application is not None:
        from penstock import App
        from penstock.cli.load import load_application

        application = load_application(options.application, settings.config.interface)
        if isinstance(application, App):
            application.compile()  # finds what start-up would: conflicts, signatures that cannot be bound
        interface = getattr(application, "interface", "Penstock App")
        print(f"\n{options.application} can be served ({interface})")
    return 0


def ctl(options: Namespace) -> int:
    """`penstock ctl`: ask or tell a server that runs."""
    from penstock.cli.ctl import act

    return act(options, _resolve(options).config)


def top(options: Namespace) -> int:
    """`penstock top`: the live figures of a server, in the terminal."""
    from penstock.cli.top import act

    return act(options, _resolve(options).config)


def _check_start(config: Config) -> None:
    """Find what the start would: values that contradict each other, certificates that cannot be used."""
    config.check_together()
    if config.tls_cert:
        from penstock.server.tls import Tls

        Tls(config)
    if config.reload:
        from penstock.server.watcher import make_tree

        make_tree(config, "")


def _resolve(options: Namespace) -> Settings:
    from penstock.cli.parser import get_flags

    settings = resolve_settings(get_flags(options), os.environ, _working_directory())
    enter_directory(settings.config)
    return settings


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the working directory does not exist any more") from None


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    from penstock.cli.ctl import align

    print("\n".join(align(rows)))
