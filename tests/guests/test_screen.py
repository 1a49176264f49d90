"""The screen under an unmodified Debian: its console, framebuffer, and pictures of other programs.

Every picture is compared pixel by pixel.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.patience import until
from vnb import Console, Disk, Machine, images
from vnb.config import Entropy, Keyboard, Screen, Tablet, Transport
from vnb.virtio.edid import edid

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("screen"), pytest.mark.timeout(300)]

WIDTH, HEIGHT = 1024, 768
BARS = [(red, green, blue) for green in (255, 0) for red in (255, 0) for blue in (255, 0)]
Frame = np.ndarray


def colour_card() -> Frame:
    """Colour bars, ramps of every colour, and a circle: height × width × 3."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    card = np.array(BARS, np.uint8)[x * len(BARS) // WIDTH]
    ramps = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for channel in range(3):
        ramps[..., channel] = np.where((y // 64) % 3 == channel, x // 4, y // 4)
    card = np.where((y >= HEIGHT // 2)[..., None], ramps, card)
    distance = np.hypot(x - WIDTH / 2, y - HEIGHT / 2)
    card[np.abs(distance - 300) < 2] = 128
    return card


@pytest.fixture(scope="module", params=["mmio", "pci"])
def guest(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A machine with a screen, and the test card as /dev/vda, as the framebuffer wants it."""
    transport: Transport = request.param
    card = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    card[..., :3] = colour_card()[..., ::-1]
    path: Path = tmp_path_factory.mktemp("screen") / "card.img"
    path.write_bytes(card.tobytes())
    image = images.debian(packages=("libdrm-tests", "edid-decode"), progress=False)
    devices = [Console(), Disk(path, "ro"), Keyboard(), Screen(WIDTH, HEIGHT)]
    with Machine(image, memory="256M", devices=devices, transport=transport) as machine:
        machine.shell("true", timeout=120)
        yield machine


def until_it_shows(guest: Machine, expected: Frame, timeout: float = 20) -> None:
    """Wait until the screen shows exactly this."""
    screen = guest.devices["screen"]
    deadline = time.monotonic() + timeout
    while screen.frame.shape != expected.shape or (screen.frame != expected).any():
        if time.monotonic() > deadline:
            assert screen.frame.shape == expected.shape
            wrong = (screen.frame != expected).any(axis=2)
            ys, xs = np.nonzero(wrong)
            pytest.fail(
                f"{wrong.sum()} pixels differ, x {xs.min()}–{xs.max()}, y {ys.min()}–{ys.max()}"
            )
        time.sleep(0.05)


def clear(guest: Machine) -> None:
    """An empty console on the screen, of nobody else's, without the cursor that blinks."""
    guest.shell(r"chvt 2; printf '\033[0m\033[2J\033[H\033[?25l' >/dev/tty2", check=True)


def test_linux_finds_the_gpu_and_its_monitor(guest: Machine) -> None:
    guest.shell("test -c /dev/dri/card0 && test -c /dev/fb0", check=True)
    said = guest.shell("cat /sys/class/drm/card0-Virtual-1/status /sys/class/graphics/fb0/name")
    assert said.stdout == "connected\nvirtio_gpudrmfb\n"
    monitor = guest.shell("cat /sys/class/drm/card0-Virtual-1/edid", check=True).raw
    assert monitor == edid(WIDTH, HEIGHT)
    said = guest.shell("edid-decode --check /sys/class/drm/card0-Virtual-1/edid", check=True)
    assert "EDID conformity: PASS" in said.stdout


def test_the_console_is_on_the_screen(guest: Machine) -> None:
    """Cells of 8×16 pixels: three in red from the first, and two in blue further down."""
    clear(guest)
    until_it_shows(guest, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    guest.shell(r"printf '\033[41m   \033[11;21H\033[44m  \033[0m' >/dev/tty2", check=True)
    expected = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    expected[:16, : 3 * 8] = (170, 0, 0)
    expected[10 * 16 : 11 * 16, 20 * 8 : 22 * 8] = (0, 0, 170)
    until_it_shows(guest, expected)


def test_a_shell_on_the_screen_obeys_the_keyboard(guest: Machine) -> None:
    guest.shell("chvt 1", check=True)
    screen, keyboard = guest.devices["screen"], guest.devices["keyboard"]
    before = screen.frame
    assert keyboard.type("echo $((6 * 7)) $(tty) > /tmp/answer; clear; ls /\n")
    until(lambda: guest.shell("cat /tmp/answer").stdout == "42 /dev/tty1\n", 20)
    until(lambda: (screen.frame != before).any(), 20)


def test_what_is_written_to_the_console_can_be_read_on_the_screen(guest: Machine) -> None:
    clear(guest)
    until_it_shows(guest, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    guest.shell("printf 'vnb vnb' >/dev/tty2", check=True)
    until(lambda: guest.devices["screen"].frame[:16, 4 * 8 : 7 * 8].any(), 20)
    frame = guest.devices["screen"].frame
    first, second = frame[:16, : 3 * 8], frame[:16, 4 * 8 : 7 * 8]
    assert (first == second).all()
    assert not frame[16:].any()
    letters = [first[:, 8 * place : 8 * place + 8] for place in range(3)]
    assert all(20 < letter.any(axis=2).sum() < 100 for letter in letters)


def test_a_test_card_in_the_framebuffer_is_on_the_screen(guest: Machine) -> None:
    clear(guest)
    guest.shell("dd if=/dev/vda of=/dev/fb0 bs=64k", check=True)
    until_it_shows(guest, colour_card())


def test_a_window_of_the_framebuffer_is_on_the_screen_and_its_surroundings_stay(
    guest: Machine,
) -> None:
    """400 rows of 100 pixels, each at its own place in the framebuffer."""
    clear(guest)
    until_it_shows(guest, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    rows = range(120, 520)
    guest.shell(
        f"for row in $(seq {rows[0]} {rows[-1]}); do"
        " dd if=/dev/vda of=/dev/fb0 bs=400 count=1 skip=$((row * 4096 / 400))"
        " seek=$(((row * 4096 + 800) / 400)) conv=notrunc 2>/dev/null; done",
        timeout=120,
        check=True,
    )
    pixels = np.zeros((HEIGHT * WIDTH, 3), np.uint8)
    card = colour_card().reshape(-1, 3)
    for row in rows:
        source, target = row * 4096 // 400 * 100, (row * 4096 + 800) // 400 * 100
        pixels[target : target + 100] = card[source : source + 100]
    until_it_shows(guest, pixels.reshape(HEIGHT, WIDTH, 3))


def tiles() -> Frame:
    """The pattern of that name, as modetest defines it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    across = x + y
    word = 0x00130502 * (across // WIDTH >> 6) + 0x000A1120 * (across % WIDTH >> 6)
    return np.stack([word >> 16 & 255, word >> 8 & 255, word & 255], axis=2).astype(np.uint8)


def test_a_program_draws_in_a_buffer_of_its_own_and_moves_a_cursor(guest: Machine) -> None:
    """libdrm's modetest: a dumb buffer in place of the console's, and 64×64 pixels of cursor."""
    screen = guest.devices["screen"]
    connector = guest.shell("modetest -M virtio_gpu -c | grep -w connected").stdout.split()[0]
    places: set[tuple[int, int]] = set()

    def moved() -> bool:
        places.add((screen.cursor.x, screen.cursor.y))
        return len(places) >= 3 and screen.cursor.image is not None

    mode = f"{connector}:{WIDTH}x{HEIGHT}"
    guest.shell(
        f"sleep 100 | modetest -M virtio_gpu -s {mode} -F tiles -C >/tmp/modetest 2>&1 &",
    )
    until_it_shows(guest, tiles())
    until(moved, 20)
    assert screen.cursor.image.shape == (64, 64, 4)
    assert np.unique(screen.cursor.image).tolist() == [0x77]
    guest.shell("kill $(pidof sleep) $(pidof modetest)", check=True)
    clear(guest)
    until_it_shows(guest, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert screen.cursor.image is None


def test_the_guest_follows_the_screen_to_another_size_and_back(guest: Machine) -> None:
    screen = guest.devices["screen"]
    for width, height in ((800, 600), (WIDTH, HEIGHT)):
        screen.resize(width, height)
        clear(guest)
        guest.shell(r"printf '\033[42m ' >/dev/tty2", check=True)
        expected = np.zeros((height, width, 3), np.uint8)
        expected[:16, :8] = (0, 170, 0)
        until_it_shows(guest, expected)
        modes = guest.shell("cat /sys/class/drm/card0-Virtual-1/modes").stdout
        assert modes.splitlines()[0] == f"{width}x{height}"


def test_the_screen_draws_again_after_a_reset(guest: Machine) -> None:
    guest.reset()
    guest.shell("true", timeout=120)
    clear(guest)
    guest.shell("dd if=/dev/vda of=/dev/fb0 bs=64k", check=True)
    until_it_shows(guest, colour_card())


FIRST_PROCESS = """busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
busybox modprobe virtio_mmio
busybox modprobe -a virtio_gpu virtio_input evdev virtio_rng
busybox dd if=/dev/hwrng bs=16 count=1 | busybox hexdump -C | busybox tee /dev/tty0
busybox usleep 500000
busybox poweroff -f"""


def test_two_boots_under_the_virtual_clock_draw_the_same(debian: images.Image) -> None:
    """The random numbers too, which are those of the machine's seed; the last picture stays."""
    script = "; ".join(FIRST_PROCESS.splitlines())
    append = f'rdinit=/usr/bin/busybox -- sh -c "export PATH=/usr/bin; {script}"'
    devices = [Console(), Keyboard(), Tablet(), Screen(640, 480), Entropy()]
    runs = []
    for _ in range(2):
        with Machine(
            debian, memory="192M", append=append, clock="virtual", devices=devices
        ) as machine:
            assert machine.wait(timeout=200) == 0
            console, screen = machine.console.read(), machine.devices["screen"]
            runs.append((console, machine.instructions, machine.memory_hash(), screen.png()))
            assert screen.frame.shape == (480, 640, 3) and screen.frame.any()
    assert "00000010" in runs[0][0]
    assert runs[0] == runs[1]
