"""labos, the embedded guest: its sources, how they are built, and the ELF file that comes of it."""

from pathlib import Path

ELF = Path(__file__).with_name("labos.elf")
