"""Random programs that trap: they wander between modes, CSRs, pages and protected memory.

A program starts in M-mode. Its handlers read every trap's CSRs, so a trace of registers tells all.
Some registers have a use throughout:

    x3          constants
    x4          scratch of the program's own glue
    x24, x25    an address to access under MPRV, and the MPRV bit
    x26, x27    1 to have the next trap end at the address in x27, in the handler's own mode;
                otherwise it ends behind the instruction that trapped, which is four bytes long
    x28 – x31   what a handler read: cause, epc, tval, status
"""

from random import Random

from assemble import program, word

from vnb.cpu.csr import NUMBERS

CODE, CONSTANTS = 0x8000_0000, 0x8001_0000
HANDLERS = {"m": 0x8001_2000, "s": 0x8001_2400}
RAM_SIZE = 0x20_0000
MPP, MPRV, SUM, MXR, TVM, TW, TSR = 3 << 11, *(1 << bit for bit in range(17, 23))
FLOAT_STATE_ON = 3 << 13
ADUE = 1 << 61  # hardware updates A and D, on harts where that is optional
RANDOM = range(5, 24)  # registers that hold random values

Line = str | int | tuple[str, dict[str, int], str]
"""A label, raw bits, or an instruction: its name, its fields, and the label it goes to, if any."""


class Program:
    """A program under construction."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.constants: list[int] = []
        self.memory: dict[int, bytes] = {}
        self.lines: list[Line] = []
        for mode, place in HANDLERS.items():
            self.handler(mode)
            self.memory[place] = self.code()
            self.lines = []
        self.emit("auipc", d=3, i=CONSTANTS - CODE >> 12)
        self.write("mtvec", HANDLERS["m"])
        self.write("stvec", HANDLERS["s"])
        self.write("pmpaddr0", (1 << 54) - 1)
        self.write("pmpcfg0", 0x1F)
        self.write("menvcfg", ADUE)
        self.write("mstatus", FLOAT_STATE_ON)
        self.constant(25, MPRV)
        for register in RANDOM:
            self.constant(register, self.value())

    def emit(self, name: str, target: str = "", /, **fields: int) -> None:
        """An instruction; its i is the distance to the label `target` if there is one.

        For addi the distance counts from the auipc before it.
        """
        self.lines.append((name, fields, target))

    def new_label(self) -> str:
        return f"label {self.random.getrandbits(60)}"

    def place(self, label: str) -> None:
        self.lines.append(label)

    def raw(self, bits: int) -> None:
        """An instruction that the table does not have."""
        self.lines.append(bits)

    def append(self, code: bytes) -> None:
        """Machine code that stands for itself, of 16-bit instructions too."""
        if len(code) % 4:
            code += b"\x01\x00"  # c.nop
        for at in range(0, len(code), 4):
            self.raw(int.from_bytes(code[at : at + 4], "little"))

    def code(self) -> bytes:
        labels: dict[str, int] = {}
        instructions: list[int | tuple[str, dict[str, int], str]] = []
        for line in self.lines:
            if isinstance(line, str):
                labels[line] = 4 * len(instructions)
            else:
                instructions.append(line)
        words = []
        for line in instructions:
            if isinstance(line, int):
                words.append(line)
                continue
            name, fields, target = line
            if target:
                distance = labels[target] - 4 * len(words) + 4 * (name == "addi")
                fields = fields | {"i": distance}
            words.append(word(name, **fields))
        return program(*words)

    def image(self) -> dict[int, bytes]:
        """Memory when the program starts, by address."""
        self.place("end")
        self.emit("jal", "end")
        pool = b"".join(value.to_bytes(8, "little") for value in self.constants)
        assert len(pool) <= 4096 and 4 * len(self.lines) < CONSTANTS - 2048 - CODE
        return {CODE: self.code(), CONSTANTS - 2048: pool, **self.memory}

    # pieces

    def handler(self, mode: str) -> None:
        """The trap handler of M- or S-mode."""
        cause, epc, tval, status, enabled = (
            NUMBERS[mode + name] for name in ("cause", "epc", "tval", "status", "ie")
        )
        self.emit("csrrs", d=28, i=cause)
        self.emit("csrrs", d=29, i=epc)
        self.emit("csrrs", d=30, i=tval)
        self.emit("csrrs", d=31, i=status)
        self.emit("bge", "exception", a=28)
        self.emit("addi", d=30, i=1)  # of interrupts, one of each kind is enough
        self.emit("sll", d=30, a=30, b=28)
        self.emit("csrrc", a=30, i=enabled)
        self.emit("jal", "return")
        self.place("exception")
        self.emit("addi", d=29, a=29, i=4)
        self.emit("beq", "resume", a=26)
        self.emit("addi", d=26)
        self.emit("addi", d=29, a=27)
        self.emit("addi", d=30, i=3 if mode == "m" else 1)
        self.emit("slli", d=30, a=30, i=11 if mode == "m" else 8)
        self.emit("csrrs", a=30, i=status)
        self.place("resume")
        self.emit("csrrw", a=29, i=epc)
        self.place("return")
        self.emit(f"{mode}ret")
        if mode == "s":  # with TSR set, sret trapped, and M-mode came back behind it
            self.emit("csrrs", d=30, i=epc)
            self.emit("jalr", a=30)

    def value(self) -> int:
        bits = self.random.getrandbits(64)
        return self.random.choice((0, (1 << 64) - 1, bits, bits >> self.random.randrange(64)))

    def register(self) -> int:
        return self.random.choice(RANDOM)

    def constant(self, register: int, value: int) -> None:
        if value not in self.constants:
            self.constants.append(value)
        self.emit("ld", d=register, a=3, i=8 * self.constants.index(value) - 2048)

    def write(self, csr: str, value: int) -> None:
        self.constant(4, value)
        self.emit("csrrw", a=4, i=NUMBERS[csr])

    def address(self, register: int, label: str) -> None:
        self.emit("auipc", d=register)
        self.emit("addi", label, d=register, a=register)

    def resume_at(self, label: str) -> None:
        """The next trap ends there."""
        self.address(27, label)
        self.emit("addi", d=26, i=1)

    def status(self, bits: int, clear: int) -> None:
        self.constant(4, clear)
        self.emit("csrrc", a=4, i=NUMBERS["mstatus"])
        self.constant(4, bits)
        self.emit("csrrs", a=4, i=NUMBERS["mstatus"])

    def enter(self) -> None:
        """From M-mode to the mode in MPP, going straight on."""
        label = self.new_label()
        self.address(4, label)
        self.emit("csrrw", a=4, i=NUMBERS["mepc"])
        self.emit("mret")
        self.place(label)

    def to_machine(self) -> None:
        """From any mode to M; an ecall from U-mode may be delegated, so that it takes two."""
        for _ in range(2):
            label = self.new_label()
            self.resume_at(label)
            self.emit("ecall")
            self.place(label)
