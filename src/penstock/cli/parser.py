"""The grammar of the command line: commands, and one flag for each setting of the server.

Flags are made from `SETTINGS` and keep their text: `server.settings` reads it, as it reads the environment
and the file. argparse does the rest, but its abbreviations are off (a new flag must not change what an old
command line means), and its errors become a `ConfigError`, so that all mistakes look alike.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from penstock.cli import commands, ctl, health, new, openapi, static, top
from penstock.errors import ConfigError
from penstock.server.config import SETTINGS
from penstock.server.kinds import Several, Switch
from penstock.server.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.server.setting import Setting

_EPILOGUE = """\
Every flag is also an environment variable, PENSTOCK_ and its name (--idle-timeout is PENSTOCK_IDLE_TIMEOUT),
and a key in penstock.toml or under [tool.penstock] in pyproject.toml (idle_timeout = 75).
Flag beats environment, environment beats file, file beats default. `penstock check` shows which one it was.
SECONDS take a fraction: 0.5. BYTES take k, M or G, powers of 1024: 64k, 1MiB.
"""
_COMMANDS = {
    "new": "make a project to begin with",
    "run": "serve an application",
    "dev": "the same while you write it: run --reload",
    "routes": "list the routes of an application",
    "openapi": "print the OpenAPI document of an application",
    "static": "serve the files in a directory",
    "ctl": "ask a running server how it stands, or have it reload, stop, scale, reopen its logs",
    "top": "show the live figures of a running server: rates, latency, workers, what is slow and what failed",
    "health": health.PURPOSE,
    "check": "show the settings in force and where each comes from; with MODULE:APP, load it too",
}
# What servers before this one call it, where the nearest name would be another thing.
_ELSEWHERE = {
    "-b": "--bind",
    "-w": "--workers",
    "--certfile": "--tls-cert",
    "--forwarded-allow-ips": "--proxy-trust",
    "--graceful-timeout": "--drain-timeout",
    "--keep-alive": "--idle-timeout",
    "--keyfile": "--tls-key",
    "--limit-concurrency": "--connection-limit",
    "--pid": "--pid-file",
    "--ssl-keyfile": "--tls-key",
    "--timeout": "--handler-timeout",
    "--timeout-graceful-shutdown": "--drain-timeout",
    "--timeout-keep-alive": "--idle-timeout",
    "--uds": "--bind",
}


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options meant by `words`; `command` is the function to call with them."""
    parser = _make_parser()
    first = words[0] if words else ""
    if not first:
        parser.error(f"which command? {', '.join(_COMMANDS)}; `penstock --help` explains them")
    if not first.startswith("-") and first not in _COMMANDS:
        parser.error(f"unknown command {first!r}{did_you_mean(first, _COMMANDS)}")
    options, rest = parser.parse_known_args(words)
    if rest:
        word = rest[0].partition("=")[0]
        if not word.startswith("-"):
            parser.error(f"unexpected argument {word!r}")
        flags = _list_flags(options)
        meant = _ELSEWHERE.get(word, word)
        near = f"; did you mean {meant!r}?" if meant in flags else did_you_mean(word, flags, "--")
        parser.error(f"unknown flag {word!r}{near}")
    if options.command is commands.static:
        if options.directory is None:
            parser.error("static what? Name the directory: penstock static DIR")
    elif options.command is commands.new:
        if options.name is None:
            parser.error("new what? Name the project: penstock new shop")
    elif options.command is commands.ctl:
        ctl.check_arguments(options)
    elif options.command not in (commands.top, commands.check) and options.application is None:
        parser.error(f"{first} what? Name the application: penstock {first} module:app")
    return options


def get_flags(options: argparse.Namespace) -> dict[str, object]:
    """The flags that were given, by key."""
    given = vars(options)
    return {setting.key: given[setting.key] for setting in SETTINGS if setting.key in given}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the epilogue's lines, and nearly every flag on one line with its purpose."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{**options, "max_help_position": 32})


def _make_parser() -> _Parser:
    parser = _Parser(
        prog="penstock", description="A pure-Python HTTP server and framework.", allow_abbrev=False
    )
    parser.add_argument("-V", "--version", action=_Version, nargs=0, help="print the version")
    made = parser.add_subparsers(title="commands")
    for name, purpose in _COMMANDS.items():
        _add_command(made, name, purpose)
    return parser


def _add_command(made: argparse._SubParsersAction[_Parser], name: str, purpose: str) -> None:
    if name == "health":  # listed here, and parsed by itself
        made.add_parser(name, help=purpose)
        return
    has_settings = name not in ("new", "routes", "openapi")
    usage = {
        "new": "NAME",
        "run": "MODULE:APP [FLAG ...]",
        "dev": "MODULE:APP [FLAG ...]",
        "routes": "MODULE:APP",
        "openapi": "MODULE:APP [--check FILE]",
        "static": "DIR [FLAG ...]",
        "ctl": ctl.USAGE,
        "top": top.USAGE,
        "check": "[MODULE:APP] [FLAG ...]",
    }
    parser = made.add_parser(
        name,
        help=purpose,
        usage=f"penstock {name} {usage[name]}",
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=_EPILOGUE if has_settings else None,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=getattr(commands, name))
    if name == "static":
        static.add_arguments(parser)
    elif name == "ctl":
        ctl.add_arguments(parser)
    elif name == "top":
        top.add_arguments(parser)
    elif name == "new":
        new.add_arguments(parser)
    else:
        parser.add_argument(
            "application",
            metavar="MODULE:APP",
            nargs="?",
            help="what to import, and the name in it: shop.web:app",
        )
    if name == "openapi":
        openapi.add_arguments(parser)
    if has_settings:
        taken = [setting for setting in SETTINGS if _takes(name, setting)]
        arguments = {
            group: parser.add_argument_group(group) for group in dict.fromkeys(s.group for s in taken)
        }
        for setting in taken:
            _add_flag(arguments[setting.group], setting)


def _takes(name: str, setting: Setting) -> bool:
    if name == "ctl":
        return setting.key in ctl.SETTINGS_TAKEN
    if name == "top":
        return setting.key in top.SETTINGS_TAKEN
    return name != "static" or setting.key not in static.NO_FLAGS


def _add_flag(group: argparse._ArgumentGroup, setting: Setting) -> None:
    purpose = f"{setting.purpose} (default {setting.default})".replace("%", "%%")
    if isinstance(setting.kind, Switch):
        group.add_argument(
            setting.flag,
            dest=setting.key,
            action=argparse.BooleanOptionalAction,
            default=argparse.SUPPRESS,
            help=purpose,
        )
        return
    group.add_argument(
        setting.flag,
        dest=setting.key,
        action="append" if isinstance(setting.kind, Several) else "store",
        metavar=setting.kind.metavar,
        default=argparse.SUPPRESS,
        help=purpose,
    )


class _Version(argparse.Action):
    """`--version` among other words; alone it never gets here."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from penstock import __version__

        print(f"penstock {__version__}")
        parser.exit()


def _list_flags(options: argparse.Namespace) -> list[str]:
    if options.command in (commands.routes, commands.new):
        return ["--help"]
    if options.command is commands.openapi:
        return ["--help", *openapi.FLAGS]
    if options.command is commands.ctl:
        return ["--help", *ctl.FLAGS, *(s.flag for s in SETTINGS if s.key in ctl.SETTINGS_TAKEN)]
    if options.command is commands.top:
        return ["--help", *top.FLAGS, *(s.flag for s in SETTINGS if s.key in top.SETTINGS_TAKEN)]
    switches = [setting.flag for setting in SETTINGS if isinstance(setting.kind, Switch)]
    negations = [flag.replace("--", "--no-") for flag in switches]
    own = static.FLAGS if options.command is commands.static else []
    return ["--help", *own, *(setting.flag for setting in SETTINGS), *negations]
