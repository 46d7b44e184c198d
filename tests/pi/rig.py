"""An emulated Raspberry Pi 4 behind real ssh on loopback: arm64 Debian under QEMU's user emulation.

It proves function, over the whole way from ``ssh`` to the runtime's kernels; its times mean nothing.
Needs root, Debian 12 or a relative, and the packages ``qemu-user-static openssh-server openssh-client``
(:func:`missing` says which are absent). By hand::

    python tests/pi/rig.py FOLDER        # builds, starts, prints how to get in, stops on Ctrl-C

How it works: Debian's arm64 packages are unpacked, not installed, into a folder. A native sshd in a
mount and process namespace of its own puts every session into that folder, where binfmt_misc hands
arm64 programs to QEMU. Ending the namespace is pulling the plug. What a program asks of the hardware
(`/proc/cpuinfo`, clocks, temperature) is made up to agree with the processor that QEMU plays: kernels
are chosen by it, and LiteRT crashes where the two disagree.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

QEMU_CPU = "cortex-a72"
PACKAGES = (
    *("bash", "coreutils", "dash", "findutils", "grep", "libgomp1", "libstdc++6", "procps", "python3", "sed"),
)
PROGRAMS = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "qemu-aarch64-static": "qemu-user-static",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "apt-get": "apt",
}
_CORE = """processor\t: {number}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""
_BOARD = "Raspberry Pi 4 Model B Rev 1.5"
_BINFMT = "/proc/sys/fs/binfmt_misc"
# The namespace's first process: lays out what the sessions see below /srv, then becomes sshd.
_INSIDE = """set -e
test -e {binfmt}/register || mount -t binfmt_misc none {binfmt}
if ! test -e {binfmt}/qemu-aarch64
then cat /usr/lib/binfmt.d/qemu-aarch64.conf >{binfmt}/register; touch {work}/registered
fi
hostname raspberrypi
for name in passwd group shadow; do mount --bind {work}/accounts/$name /etc/$name; done
mount --bind {root} /srv
# sshd reads keys as the user, who may not enter the folders of a test.
mount -t tmpfs -o mode=755 none /mnt
cp {work}/key.pub /mnt/authorized_keys
mount -t proc proc /srv/proc
mount --bind {work}/cpuinfo /srv/proc/cpuinfo
mount -t tmpfs -o mode=755 none /srv/dev
mkdir /srv/dev/shm && chmod 1777 /srv/dev/shm
for name in null zero random urandom; do : >/srv/dev/$name; mount --bind /dev/$name /srv/dev/$name; done
ln -s /proc/self/fd /srv/dev/fd
exec /usr/sbin/sshd -D -e -f {work}/sshd_config
"""
_SSHD = """Port {port}
ListenAddress 127.0.0.1
HostKey {work}/host_key
AuthorizedKeysFile /mnt/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers pi
PrintMotd no
ChrootDirectory /srv
SetEnv QEMU_CPU={cpu}
"""
_SSH = """Host emulated-pi
  HostName 127.0.0.1
  Port {port}
  User pi
  IdentityFile {work}/key
  IdentitiesOnly yes
  UserKnownHostsFile {work}/known_hosts
  StrictHostKeyChecking yes
"""


def missing() -> str:
    """Return why no rig can be made here, with the mend; empty where one can."""
    if os.geteuid() != 0:
        return "the emulated Raspberry Pi needs root"
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    absent = {package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None}
    return f"install with apt-get: {' '.join(sorted(absent))}" if absent else ""


class Rig:
    """One emulated Raspberry Pi.

    Args:
        folder: outside any repository; holds everything. A root that was built there is used again.
        port: on loopback; a free one where ``None``.
    """

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.root, self.work = folder / "root", folder / "ssh"
        self.port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ssh(self) -> str:
        """The command that reaches it, for EDGEWRIGHT_SSH; the host is ``emulated-pi``."""
        return f"ssh -F {self.work}/config"

    @property
    def home(self) -> Path:
        """The user's home, seen from outside."""
        return self.root / "home" / "pi"

    def build(self) -> None:
        """Unpack Debian's arm64 packages, unless that was done before."""
        if (self.root / ".built").exists():
            return
        for archive in self._download():
            self._unpack(archive)
        for name in ("proc", "sys", "dev", "tmp", "root", "run", "home/pi", "etc"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "tmp").chmod(0o1777)
        (self.root / "etc" / "hostname").write_text("raspberrypi\n")
        (self.root / "etc" / "passwd").write_text(
            "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\n"
        )
        (self.root / "etc" / "group").write_text("root:x:0:\npi:x:1000:\n")
        os.chown(self.home, 1000, 1000)
        self._make_hardware()
        (self.root / ".built").touch()

    def start(self) -> None:
        """Switch it on; return once it answers."""
        self.work.mkdir(parents=True, exist_ok=True)
        self.work.chmod(0o755)
        self._write_settings()
        Path("/run/sshd").mkdir(exist_ok=True)
        log = (self.work / "log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child"),
                    *("--propagation", "private", "sh", str(self.work / "inside.sh")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while b"Server listening" not in (said := (self.work / "log").read_bytes()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"sshd did not come up: {said.decode(errors='replace')}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Pull the plug: every process in it ends at once. What is on its disk stays."""
        if self._process is not None:
            self._process.kill()  # --kill-child takes the namespace's first process, and so all of them
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop it, and take back what was told the kernel."""
        self.stop()
        if (self.work / "registered").exists():
            script = f"mount -t binfmt_misc none {_BINFMT} 2>/dev/null; echo -1 >{_BINFMT}/qemu-aarch64"
            subprocess.run(["unshare", "--mount", "sh", "-c", script], check=False)
            (self.work / "registered").unlink()

    def mount_small_disk(self, folder: str, size_kib: int) -> None:
        """Put an empty disk of ``size_kib`` at a folder of the device, until it is switched off."""
        target = f"/srv/{folder.lstrip('/')}"
        script = f"mkdir -p {target} && mount -t tmpfs -o size={size_kib}k,uid=1000,gid=1000 none {target}"
        self._inside(script)

    def unmount(self, folder: str) -> None:
        """Take that disk away."""
        self._inside(f"umount -l /srv/{folder.lstrip('/')}")

    def _inside(self, script: str) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        namespace = f"--mount=/proc/{children.split()[0]}/ns/mnt"
        subprocess.run(["nsenter", namespace, "sh", "-c", script], check=True)

    def _download(self) -> list[Path]:
        """Return arm64 packages, fetched with the host's own sources but an apt state of their own."""
        apt = self.root.parent / "apt"
        for name in ("lists/partial", "archives/partial"):
            (apt / name).mkdir(parents=True, exist_ok=True)
        (apt / "status").touch()
        (apt / "conf").write_text(
            'APT { Architecture "arm64"; Architectures { "arm64"; }; Install-Recommends "false"; };\n'
            'APT::Sandbox::User "root";\nAcquire { Languages "none"; Retries "3"; };\n'
            f'Dir {{ State::Lists "{apt}/lists"; State::status "{apt}/status"; '
            f'Cache "{apt}"; Cache::Archives "{apt}/archives"; }};\n'
        )
        environment = os.environ | {"APT_CONFIG": str(apt / "conf"), "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["--yes", "--download-only", "install", *PACKAGES]):
            subprocess.run(
                ["apt-get", "-qq", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
            )
        return sorted((apt / "archives").glob("*.deb"))

    def _unpack(self, archive: Path) -> None:
        # As on any current Debian, /bin is /usr/bin; unpacking must go through the links, not over them.
        for name in ("bin", "lib", "sbin"):
            (self.root / "usr" / name).mkdir(parents=True, exist_ok=True)
            if not (self.root / name).is_symlink():
                (self.root / name).symlink_to(f"usr/{name}")
        tree = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE)
        leave_out = [f"--exclude=./usr/share/{name}" for name in ("doc", "man", "locale", "info", "lintian")]
        subprocess.run(
            ["tar", "-x", "-C", str(self.root), "--keep-directory-symlink", *leave_out],
            stdin=tree.stdout,
            check=True,
        )
        if tree.wait() != 0:
            raise RuntimeError(f"{archive} cannot be unpacked")

    def _make_hardware(self) -> None:
        """Write what the sessions see in /sys."""
        cpus = "devices/system/cpu"
        facts = {f"{cpus}/{name}": "0-3" for name in ("possible", "present", "online")}
        facts |= {f"{cpus}/kernel_max": "3", "firmware/devicetree/base/model": _BOARD + "\0"}
        facts |= {
            "class/thermal/thermal_zone0/temp": "48312",
            "class/thermal/thermal_zone0/type": "cpu-thermal",
        }
        for number in range(4):
            cpu = f"{cpus}/cpu{number}"
            facts |= {
                f"{cpu}/cpufreq/cpuinfo_max_freq": "1800000",
                f"{cpu}/cpufreq/cpuinfo_min_freq": "600000",
                f"{cpu}/cpufreq/scaling_cur_freq": "1800000",
                f"{cpu}/cpufreq/scaling_governor": "performance",
                f"{cpu}/topology/core_id": str(number),
                f"{cpu}/topology/physical_package_id": "0",
                f"{cpu}/topology/core_siblings_list": "0-3",
                f"{cpu}/topology/package_cpus_list": "0-3",
            }
        for name, text in facts.items():
            path = self.root / "sys" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")

    def _write_settings(self) -> None:
        work, values = self.work, {"work": self.work, "root": self.root, "port": self.port, "cpu": QEMU_CPU}
        for name in ("host_key", "key"):
            if not (work / name).exists():
                subprocess.run(
                    ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(work / name)], check=True
                )
        host_key = " ".join((work / "host_key.pub").read_text().split()[:2])
        cores = "".join(_CORE.format(number=number) for number in range(4))
        # In the namespace alone, so that the machine's own accounts stay as they are.
        sshd = next(line for line in Path("/etc/passwd").read_text().splitlines() if line.startswith("sshd:"))
        files = {
            "known_hosts": f"[127.0.0.1]:{self.port} {host_key}\n",
            "cpuinfo": f"{cores}Hardware\t: BCM2835\nRevision\t: c03115\nModel\t\t: {_BOARD}\n",
            "inside.sh": _INSIDE.format(binfmt=_BINFMT, **values),
            "sshd_config": _SSHD.format(**values),
            "config": _SSH.format(**values),
            "accounts/passwd": f"root:x:0:0::/root:/bin/bash\n{sshd}\npi:x:1000:1000::/home/pi:/bin/bash\n",
            "accounts/group": "root:x:0:\nnogroup:x:65534:\ntty:x:5:\npi:x:1000:\n",
            "accounts/shadow": "root:*:19000::::::\nsshd:*:19000::::::\npi:*:19000::::::\n",
        }
        (work / "accounts").mkdir(exist_ok=True)
        for name, text in files.items():
            (work / name).write_text(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Build and start a rig in the folder that is named, until it is told to stop."""
    if reason := missing():
        sys.exit(reason)
    rig = Rig(Path(sys.argv[1]).resolve())
    rig.build()
    rig.start()
    print(f"{rig.ssh} emulated-pi", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        rig.close()


if __name__ == "__main__":
    main()
