"""What leaves a module is weight only: all that refers to something still refers to it."""

import io
import random
from typing import Any

from elftools.elf.elffile import ELFFile

from tests.images import fakes
from tests.images.fakes import Symbol
from vnb.images.slim import slimmed

LABEL, LOCAL_FUNCTION, GLOBAL_FUNCTION = 0x00, 0x02, 0x12
SYMBOLS = (
    Symbol(".L1", LABEL, 4),
    Symbol("static_function", LOCAL_FUNCTION, 8),
    Symbol(".L2", LABEL, 12),
    Symbol(".L3", LABEL, 16),
    Symbol("probe", GLOBAL_FUNCTION, 20),
    Symbol("printk", 0x10, 0),
)


def sections(module: bytes) -> list[tuple[Any, ...]]:
    """What there is in the file besides its symbols, their names and what refers to them."""
    return [
        (section.name, section["sh_type"], section["sh_addralign"], section["sh_size"])
        + ((section.data(),) if section["sh_type"] == "SHT_PROGBITS" else ())
        for section in ELFFile(io.BytesIO(module)).iter_sections()
        if section["sh_type"] not in ("SHT_RELA", "SHT_SYMTAB", "SHT_STRTAB")
    ]


def references(module: bytes) -> list[tuple[int, int, int, str, int]]:
    """Each relocation with the symbol that it means."""
    file = ELFFile(io.BytesIO(module))
    symbols = file.get_section_by_name(".symtab")
    return [
        (
            entry["r_offset"],
            entry["r_info_type"],
            entry["r_addend"],
            symbol.name,
            symbol["st_value"],
        )
        for entry in file.get_section_by_name(".rela.text").iter_relocations()
        for symbol in [symbols.get_symbol(entry["r_info_sym"])]
    ]


def names(module: bytes) -> list[str]:
    table = ELFFile(io.BytesIO(module)).get_section_by_name(".symtab")
    return [symbol.name for symbol in table.iter_symbols()][1:]


def test_labels_that_nothing_refers_to_leave() -> None:
    module = fakes.module("depends=", symbols=SYMBOLS, relocations=((0, 2), (8, 5)))
    assert names(module) == [".L1", "static_function", ".L2", ".L3", "probe", "printk"]
    assert names(slimmed(module)) == ["static_function", ".L2", "probe", "printk"]
    assert len(slimmed(module)) < len(module)


def test_every_reference_still_means_the_same_symbol(rng: random.Random) -> None:
    for _ in range(50):
        local = [
            Symbol(f".L{n}", rng.choice([LABEL, LOCAL_FUNCTION]), n)
            for n in range(rng.randrange(30))
        ]
        symbols = (*local, *(Symbol(f"global{n}", GLOBAL_FUNCTION, n) for n in range(3)))
        patches = tuple((8 * n, rng.randrange(len(symbols))) for n in range(rng.randrange(8)))
        module = fakes.module("depends=", symbols=symbols, relocations=patches)
        assert references(slimmed(module)) == references(module)
        assert sections(slimmed(module)) == sections(module)


def test_the_symbol_table_says_where_its_global_ones_begin() -> None:
    module = slimmed(fakes.module(symbols=SYMBOLS, relocations=((0, 0),)))
    table = ELFFile(io.BytesIO(module)).get_section_by_name(".symtab")
    binding = [symbol["st_info"]["bind"] for symbol in table.iter_symbols()]
    assert binding.index("STB_GLOBAL") == table["sh_info"]


def test_the_signature_leaves() -> None:
    module = fakes.module("depends=", symbols=SYMBOLS)
    assert slimmed(fakes.signed(module)) == slimmed(module)
    assert b"signature" not in slimmed(fakes.signed(module))


def test_a_slim_module_stays_as_it_is() -> None:
    once = slimmed(fakes.module("depends=x", symbols=SYMBOLS, relocations=((4, 1), (8, 3))))
    assert slimmed(once) == once
