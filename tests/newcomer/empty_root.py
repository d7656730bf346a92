"""A Debian with next to nothing in it, in a folder: what a newcomer has who types the first command of a page.

Made by `mmdebstrap`, entered by `unshare` and `chroot`. Each command has mounts and processes of its own, so nothing of
it is left once it has ended. The network is that of this machine.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.docs.commands import Outcome

SUITE = "bookworm"
_PACKAGES = "python3,git,make,ca-certificates"
_PROGRAMS = ("mmdebstrap", "unshare", "chroot", "mount")
_PASSED_ON = re.compile(
    r"(SSL_CERT_FILE|(REQUESTS|CURL)_CA_BUNDLE|PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT)|https?_proxy)", re.IGNORECASE
)
"""What leads to package registries on a machine behind a proxy; nothing else of this machine's environment is seen."""

_AS_A_TERMINAL = {
    "HOME": "/root",
    "TERM": "xterm",
    "COLUMNS": "160",
    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
_COPIED = ("/etc/resolv.conf", "/etc/hosts")


def reason_not_here() -> str:
    """Why no such root can be made on this machine; empty: it can."""
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} is not installed here"
    return "" if os.geteuid() == 0 else "only root may make a root"


@dataclass(frozen=True, slots=True)
class EmptyRoot:
    """The folder of a root, and what is typed in it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> EmptyRoot:
        """A fresh one, in place of what is there. Takes half a minute.

        Raises:
            subprocess.CalledProcessError: no mirror of Debian answered.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        make = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_PACKAGES}", SUITE, str(folder)]
        subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
        root = cls(folder)
        for file in (*_COPIED, *(value for value in _environment().values() if Path(value).is_file())):
            root.path(file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, root.path(file))
        # Who types `apt install` says yes.
        root.path("/etc/apt/apt.conf.d/yes").write_text('APT::Get::Assume-Yes "true";\n', encoding="utf-8")
        return root

    def path(self, inside: str) -> Path:
        """Where a file of the root is for this process."""
        return self.folder / inside.lstrip("/")

    def command(self, typed: str) -> list[str]:
        """The command line that types something there, in bash."""
        places = " && ".join(f"mount --rbind /{name} {shlex.quote(str(self.path(name)))}" for name in ("dev", "sys"))
        variables = [f"{name}={value}" for name, value in (_AS_A_TERMINAL | _environment()).items()]
        entered = shlex.join(["env", "-i", *variables, "chroot", str(self.folder), "/bin/bash", "-c", typed])
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.path('proc')}"]
        return [*alone, "sh", "-c", f"{places} && exec {entered}"]

    def run(self, typed: str, *, seconds: float) -> Outcome:
        """Type a command and wait for its end; one that takes longer is ended with the exit code 124."""
        try:
            done = subprocess.run(
                self.command(typed),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return Outcome((error.stdout or b"").decode(errors="replace"), 124)
        return Outcome(done.stdout.decode(errors="replace"), done.returncode)


@dataclass(slots=True)
class RootShell:
    """A terminal in the root: a folder, and what `export` and `cd` have changed; as `docs.commands.Shell`.

    Variables that are set without `export` stay as well, as they do in a terminal.
    """

    root: EmptyRoot
    folder: str
    _begun: bool = False

    def run(self, typed: str, *, seconds: float = 900) -> Outcome:
        """Type a command, which may have several lines, and wait for its end."""
        return self.root.run(self.typed(typed), seconds=seconds)

    def typed(self, typed: str) -> str:
        """The command with what those before it have left."""
        state = f"{self.folder}/.typed"
        if not self._begun:
            self.root.path(self.folder).mkdir(parents=True, exist_ok=True)
            self.root.path(state).write_text(f"cd {self.folder}\n", encoding="utf-8")
            self._begun = True
        after = f"code=$?\n{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > {state}\nexit $code\n"
        return f"set -a\n. {state}\n{typed}\n{after}"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
