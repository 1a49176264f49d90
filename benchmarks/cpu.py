"""How fast the processor is: our own kernels on vnb, others and the host, in one run.

    python benchmarks/cpu.py [--rounds 3] [--kernel sieve --kernel "sieve, paged" …]
    python benchmarks/cpu.py --rounds 1 --kernel calls --target "vnb warm" --target QEMU   # quickly

Each round runs every kernel on every target before the next round begins, so that a busy minute on
the host touches all of them alike. All results must agree, or the run fails.

"vnb off" only interprets. "vnb cold" translates, with nothing on disk to begin with; "vnb warm" has
there what a few runs left. Each run on vnb has a process of its own.
"""

import statistics
from collections import defaultdict
from pathlib import Path

import click
from costs import Costs, costs_table, together
from figure import as_picture, drawn
from tables import among, compared, conclude, spread, table, to_readme
from targets import KERNELS, PAGED, SYSTEM, Run, Target, targets
from tqdm import tqdm

ALL = (*KERNELS, *PAGED, *SYSTEM)
GROUPS = {"bare": KERNELS, "paged": (*PAGED, *SYSTEM)}
NAMES = tuple(target.name for target in targets())

Measured = dict[tuple[str, str], list[Run]]  # (kernel, target) → one run a round


def measure(kernels: list[str], present: list[Target], rounds: int) -> Measured:
    measured: Measured = defaultdict(list)
    steps = [
        (kernel, target)
        for _ in range(rounds)
        for kernel in kernels
        for target in present
        if kernel not in target.lacks
    ]
    for kernel, target in (progress := tqdm(steps, leave=False)):
        progress.set_description(f"{kernel} on {target.name}")
        measured[kernel, target.name].append(target.run(kernel))
    return measured


def disagreements(kernels: list[str], present: list[Target], measured: Measured) -> list[str]:
    """One line for each kernel whose result or count of instructions is not the same everywhere."""
    lines = []
    for kernel in kernels:
        seen = [(target, run) for target in present for run in measured[kernel, target.name]]
        results = {run.result for _, run in seen}
        counts = {
            run.instructions
            for target, run in seen
            if target.counts and kernel not in target.miscounts
        }
        if len(results) > 1 or len(counts) > 1:
            told = "; ".join(
                f"{t.name} {run.result:#x} after {run.instructions} instructions" for t, run in seen
            )
            lines.append(f"{kernel}: the targets disagree: {told}")
    return lines


def times(kernels: list[str], present: list[Target], measured: Measured) -> str:
    """Milliseconds of each kernel on each target, and the rate of the first one."""
    rows = []
    for kernel in kernels:
        series = [measured[kernel, target.name] for target in present]
        instructions = series[0][0].instructions / 1e6
        rate = instructions / statistics.median(run.seconds for run in series[0])
        cells = [spread([1e3 * run.seconds for run in runs]) for runs in series]
        rows.append([kernel, f"{instructions:.0f}", f"{rate:.0f}", *cells])
    return table(["ms", "M instr.", "MIPS", *(target.name for target in present)], rows)


def costs(kernels: list[str], measured: Measured) -> str:
    """What the translator took in the last cold run of each kernel, and in all of them."""
    series: dict[str, dict[str, Costs]] = defaultdict(dict)
    for target in ("vnb cold", "vnb warm"):
        for kernel in kernels:
            for run in measured[kernel, target][-1:]:
                if run.costs:
                    series[target][kernel] = run.costs
    rows = dict(series["vnb cold"])
    for target, runs in series.items():
        if runs:
            rows[f"all, {target.removeprefix('vnb ')}"] = together(list(runs.values()))
    return costs_table(rows)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--kernel", "kernels", multiple=True, type=click.Choice(ALL), default=ALL)
@click.option("--target", "wanted", multiple=True, type=click.Choice(NAMES), default=NAMES)
@as_picture
@to_readme
def main(
    rounds: int, kernels: tuple[str, ...], wanted: tuple[str, ...], figure: Path | None, write: bool
) -> None:
    """Print tables of our kernels on vnb's tiers, other emulators and the host."""
    chosen = [kernel for kernel in ALL if kernel in kernels]
    everyone = [target for target in targets() if target.name in wanted]
    present = [target for target in everyone if target.missing is None]
    names = [target.name for target in present]
    measured = measure(chosen, present, rounds)
    seconds = {key: [run.seconds for run in runs] for key, runs in measured.items()}
    groups = among(GROUPS, chosen)
    tables = [
        times(chosen, present, measured),
        compared(groups, names, seconds),
        costs(chosen, measured),
    ]
    missing = {target.name: target.missing for target in everyone if target.missing}
    wrong = disagreements(chosen, present, measured)
    conclude("cpu", f"{rounds} rounds: median (best)", tables, missing, write, wrong)
    if figure:
        drawn(figure, "The processor, beside QEMU", groups, seconds)


if __name__ == "__main__":
    main()
