"""Debian's own programs in the guest, unpacked by the host with what they depend on."""

import pytest

from vnb import Console, Machine, images

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("packages"), pytest.mark.timeout(300)]


def test_a_package_of_debian_runs_with_its_libraries() -> None:
    image = images.debian(packages=("e2fsprogs",), progress=False)
    with Machine(image, memory="256M", devices=[Console()]) as machine:
        machine.shell("dd if=/dev/zero of=/tmp/disk bs=1M count=16", timeout=120, check=True)
        made = machine.shell("mkfs.ext4 -q /tmp/disk && e2fsck -fn /tmp/disk", check=True)
        assert "Pass 5: Checking group summary information" in made.stdout
        machine.shell("mount -o loop /tmp/disk /mnt && cp /bin/busybox /mnt", check=True)


def test_debians_own_shell_and_commands_may_take_the_place_of_busybox() -> None:
    packages = ("coreutils", "dash", "kmod", "mount")
    image = images.debian(packages=packages, progress=False)
    with Machine(image, memory="320M", devices=[Console()]) as machine:
        said = machine.shell("readlink -f /bin/sh; ls --version; mount --version", timeout=120)
        assert said.stdout.startswith("/usr/bin/dash\nls (GNU coreutils)")
        assert "mount from util-linux" in said.stdout
