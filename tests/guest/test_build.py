"""labos.elf is what its sources say, and the sources keep to the rules of the house."""

import re
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from vnb.guest import ELF, build

SOURCES = sorted(path for path in ELF.parent.iterdir() if path.suffix in (".c", ".h", ".S", ".ld"))

LONGEST_FILE, LONGEST_LINE = 250, 100


def test_the_sources_give_the_committed_bytes(tmp_path: Path) -> None:
    build.build(tmp_path / "labos.elf")
    same = (tmp_path / "labos.elf").read_bytes() == ELF.read_bytes()
    assert same, "vnb/guest changed: run `make guest` and commit labos.elf"


def test_it_is_small_and_starts_with_its_first_instruction() -> None:
    assert ELF.stat().st_size < 128 << 10
    with ELF.open("rb") as file:
        elf = ELFFile(file)
        assert elf["e_entry"] == elf.get_section(1)["sh_addr"] == 0x8000_0000


def test_it_has_names_for_the_debugger_and_none_of_the_machine_that_built_it() -> None:
    with ELF.open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".symtab")
        assert isinstance(symbols, SymbolTableSection)
        names = {symbol.name for symbol in symbols.iter_symbols()}
        sections = {section.name for section in elf.iter_sections()}
    assert {"main", "trap", "disk_transfer", "shell_run"} <= names
    assert not any(name.startswith((".debug", ".comment", ".note")) for name in sections)
    assert b"/home" not in ELF.read_bytes() and not any("/" in name for name in names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_source_is_short_and_says_first_what_it_is_about(path: Path) -> None:
    text = path.read_text()
    lines = text.splitlines()
    assert len(lines) <= LONGEST_FILE
    assert max(map(len, lines)) <= LONGEST_LINE
    assert lines[0].startswith("# " if path.suffix == ".S" else "/* ")
    assert "\t" not in text and not re.search(r" $", text, re.MULTILINE)


def test_every_function_in_the_header_is_called_in_another_file() -> None:
    code = {path: re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL) for path in SOURCES}
    required_by_the_compiler = {"memcmp", "memcpy", "memmove", "memset"}
    for header in (path for path in SOURCES if path.suffix == ".h"):
        for name in re.findall(r"^\w[^#\n(]*?\b(\w+)\([^;]*\);", code[header], re.MULTILINE):
            users = [path for path in SOURCES if re.search(rf"\b{name}\b", code[path])]
            assert len(users) > 2 or name in required_by_the_compiler, f"{name} in {header.name}"
