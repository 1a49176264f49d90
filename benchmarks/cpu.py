"""How fast the processor is: our own kernels on vnb, QEMU, unicorn and the host, in one run.

    python benchmarks/cpu.py [--rounds 3] [--kernel sieve --kernel fib …]

Each round runs every kernel on every target before the next round begins, so that a busy minute on
the host touches all of them alike. All results must agree, or the run fails.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict

import click
from tables import host, spread, table
from targets import KERNELS, Run, Target, targets

Measured = dict[tuple[str, str], list[Run]]  # (kernel, target) → one run a round


def measure(kernels: list[str], present: list[Target], rounds: int) -> Measured:
    measured: Measured = defaultdict(list)
    for number in range(rounds):
        for kernel in kernels:
            for target in present:
                print(f"round {number + 1}/{rounds}: {kernel} on {target.name}", file=sys.stderr)
                measured[kernel, target.name].append(target.run(kernel))
    return measured


def disagreements(kernels: list[str], measured: Measured) -> list[str]:
    """One line for each kernel whose result is not the same everywhere."""
    lines = []
    for kernel in kernels:
        results = {
            name: run.result for (k, name), runs in measured.items() if k == kernel for run in runs
        }
        if len(set(results.values())) > 1:
            shown = ", ".join(f"{name} {result:#x}" for name, result in results.items())
            lines.append(f"{kernel}: the results differ: {shown}")
    return lines


def report(kernels: list[str], present: list[Target], measured: Measured) -> str:
    """Milliseconds for each target; then vnb's rate, and its time against the others'."""
    counting = [target.name for target in present if target.counts]
    others = [target.name for target in present if not target.counts]
    header = ["kernel", *(f"{target.name}, ms" for target in present)]
    if counting:
        header += ["M instr.", f"{counting[0]}, MIPS", *(f"× {name}" for name in others)]
    rows = []
    ratios: dict[str, list[float]] = defaultdict(list)
    for kernel in kernels:
        seconds = {t.name: [run.seconds for run in measured[kernel, t.name]] for t in present}
        row = [kernel, *(spread([1e3 * s for s in seconds[t.name]]) for t in present)]
        if counting:
            instructions = measured[kernel, counting[0]][0].instructions
            median = statistics.median(seconds[counting[0]])
            row += [f"{instructions / 1e6:.0f}", f"{instructions / median / 1e6:.0f}"]
            for name in others:
                ratios[name].append(statistics.median(seconds[name]) / median)
                row.append(f"{ratios[name][-1]:.2f}")
        rows.append(row)
    if counting:
        means = [f"{statistics.geometric_mean(ratios[name]):.2f}" for name in others]
        rows.append(["geometric mean", *[""] * (len(present) + 2), *means])
    return table(header, rows)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--kernel", "kernels", multiple=True, type=click.Choice(KERNELS), default=KERNELS)
def main(rounds: int, kernels: tuple[str, ...]) -> None:
    """Print a table of our kernels on vnb's engines, QEMU, unicorn and the host."""
    wanted, everyone = list(kernels), targets()
    present = [target for target in everyone if target.missing is None]
    measured = measure(wanted, present, rounds)
    print(f"\n{host()}; {rounds} rounds: median (best)\n")
    print(report(wanted, present, measured))
    print("\n× is the other's time divided by vnb llvm's: over 1, vnb is the faster.")
    for target in everyone:
        if target.missing:
            print(f"Not measured: {target.name}, because {target.missing}.")
    if wrong := disagreements(wanted, measured):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
