"""Options that several commands have."""

from __future__ import annotations

import argparse

__all__ = ["takes_apis", "takes_specs"]


def takes_specs(command: argparse.ArgumentParser) -> None:
    """`--specs DIR`, again and again."""
    command.add_argument(
        "--specs", metavar="DIR", action="append", default=[], help="a folder of YAML of your own; repeatable"
    )


def takes_apis(command: argparse.ArgumentParser) -> None:
    """`--api GLOB`, again and again."""
    command.add_argument(
        "--api", metavar="GLOB", action="append", help="only contracts whose name or API matches; repeatable"
    )
