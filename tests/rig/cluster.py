"""A throwaway PostgreSQL cluster: made in half a second, on loopback, gone with the run."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.rig import locate, ports
from tests.rig.run import MakingFailed, Run

# Nothing here outlives the run, so the fast profile may lose it in a power cut. Tests that kill the
# database itself ask for the durable one.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
PROFILES = {"fast": FAST, "durable": DURABLE}
COMMON = {
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "10s",
    "max_wal_size": "512MB",
    "jit": "off",
}


@dataclass(frozen=True)
class Cluster:
    """Where a running cluster is, and whom to tell when it must die."""

    port: int
    data: Path
    binaries: Path
    pid: int

    def url(self, database: str) -> str:
        """Give the SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def dsn(self, database: str = "postgres") -> str:
        """Give the libpq URL of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


def _unprivileged() -> str | None:
    # initdb refuses to run as root.
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise MakingFailed("running as root, and there is no user postgres or nobody to run initdb as")


def _as(user: str | None, *command: str | Path, cwd: Path) -> None:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    if user is not None:
        owner = pwd.getpwnam(user)
        environ["HOME"] = str(cwd)
        who: dict[str, int | list[int]] = {
            "user": owner.pw_uid,
            "group": owner.pw_gid,
            "extra_groups": [],
        }
    else:
        who = {}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        **who,  # type: ignore[call-overload]
    )
    if done.returncode:
        log = cwd / "log"
        said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise MakingFailed(f"{command[0]} failed: {done.stdout}{done.stderr}{said}")


def _start(run: Run, profile: str) -> dict[str, str]:
    binaries = locate.find_postgres()
    if binaries is None:
        raise MakingFailed(locate.NO_POSTGRES)
    user = _unprivileged()
    home = run.folder(f"pg-{profile}")
    data = home / "data"
    if user is not None:
        os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    home.chmod(0o755)
    _as(
        user,
        *(binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"),
        *("--locale=C", "--no-sync", "--no-instructions"),
        cwd=home,
    )
    settings = COMMON | PROFILES[profile] | {"unix_socket_directories": str(home)}
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    refused = ""
    for _ in range(5):  # somebody may take the port first
        port = ports.free_port()
        try:
            _as(
                user,
                *(binaries / "pg_ctl", "-D", data, "-l", home / "log", "-w", "-t", "60"),
                *("-o", f"-p {port}", "start"),
                cwd=home,
            )
        except MakingFailed as failure:
            refused = str(failure)
            continue
        pid = (data / "postmaster.pid").read_text().splitlines()[0]
        # Immediate shutdown: SIGTERM would wait for clients, SIGKILL would leave shared memory.
        run.register(int(pid), how=signal.SIGQUIT)
        return {"port": str(port), "data": str(data), "binaries": str(binaries), "pid": pid}
    raise MakingFailed(refused)


def start(run: Run, *, profile: str = "fast") -> Cluster:
    """Start the run's cluster of this profile, or give the one that runs.

    Raises: MakingFailed, with what to install when there is no PostgreSQL.
    """
    facts = run.once(f"cluster-{profile}", lambda: _start(run, profile))
    return Cluster(
        port=int(facts["port"]),
        data=Path(facts["data"]),
        binaries=Path(facts["binaries"]),
        pid=int(facts["pid"]),
    )
