"""labos does not only work with our devices: QEMU's, written by others, are as good to it."""

import random
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.guest.test_disks import stamped
from vnb.config import Transport
from vnb.guest import ELF

BOARD = (
    *(
        "qemu-system-riscv64",
        "-M",
        "virt",
        "-m",
        "64M",
        "-global",
        "virtio-mmio.force-legacy=false",
    ),
    *("-display", "none", "-serial", "stdio", "-monitor", "none", "-bios"),
)

COMMANDS = {
    "devices": r"(?s)(?=.*disk +0)(?=.*rng +0)(?=.*net +0)(?=.*share +0)(?=.*input +0).*screen +0",
    "disk sum 0 128": r"128 sectors, crc32 CRC",
    "disk write 8 120; disk verify 8 120": r"120 sectors, crc32 (\w+)\s+120 sectors, crc32 \1",
    "rng 8": r"\n[0-9a-f]{16}\n",
    "dhcp": r"10\.0\.2\.15 for \d+ s from 10\.0\.2\.2",
    "ping 10.0.2.2 2": r"2 sent, 2 answered",
    "9p cat greeting": r"\nhello from the host\n",
    "9p write answer hello from labos": r"",
    "screen card": r"",
    "input leds 0 2": r"",
    "irq": r"exceptions +0\n",
}


def devices(transport: Transport, folder: Path, disk: Path) -> list[str]:
    """The arguments that give QEMU one device of each kind."""
    kind = "device" if transport == "mmio" else "pci"
    backends = (
        ("drive", f"if=none,id=disk,format=raw,file={disk}"),
        ("netdev", "user,id=net"),
        ("fsdev", f"local,id=files,path={folder},security_model=none"),
    )
    models = (
        f"virtio-blk-{kind},drive=disk",
        f"virtio-net-{kind},netdev=net",
        f"virtio-9p-{kind},fsdev=files,mount_tag=data",
        f"virtio-rng-{kind}",
        f"virtio-keyboard-{kind}",
        f"virtio-gpu-{kind}",
    )
    arguments = [word for name, value in backends for word in (f"-{name}", value)]
    return arguments + [word for model in models for word in ("-device", model)]


def said(transport: Transport, folder: Path, disk: Path) -> dict[str, str]:
    """What labos answers on QEMU, by command."""
    # Spaces first: what is typed before a UART is set up may be lost.
    typed = " " * 32 + "".join(f"{command}\r" for command in COMMANDS) + "halt\r"
    run = subprocess.run(
        [*BOARD, ELF, *devices(transport, folder, disk)],
        input=typed.encode(),
        capture_output=True,
        timeout=120,
        check=True,
    )
    answers = run.stdout.decode().replace("\r", "").split("labos> ")[1:]
    return dict(zip(COMMANDS, answers, strict=False))


@pytest.mark.skipif(not shutil.which(BOARD[0]), reason="QEMU is not installed")
def test_labos_drives_the_devices_of_qemu_too(transport: Transport, tmp_path: Path) -> None:
    disk, folder = tmp_path / "disk.img", tmp_path / "share"
    data = random.Random(4).randbytes(128 * 512)
    disk.write_bytes(data)
    folder.mkdir()
    (folder / "greeting").write_text("hello from the host\n")
    answers = said(transport, folder, disk)
    for command, pattern in COMMANDS.items():
        answer = answers[command]
        assert re.search(pattern.replace("CRC", f"{zlib.crc32(data):08x}"), answer), answer
        assert "does not" not in answer
    assert (folder / "answer").read_text() == "hello from labos\n"
    assert disk.read_bytes()[: 8 * 512] == data[: 8 * 512]
    assert disk.read_bytes()[8 * 512 :] == stamped(8, 120)
