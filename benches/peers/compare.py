"""Measures paribus against PyTorch, JAX and NumPy on the work of experiments/ch6.toml, and all of them against the processor.

In each round every contender takes its turn, in rotating order, as does a loop that does nothing but multiply-adds. Prints a
Markdown table; `--write FILE` puts it between the markers in FILE. See README.md.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from work import LEARNED, ORDER, ROOT, dense_operations

HERE = Path(__file__).resolve().parent
CORES = len(os.sched_getaffinity(0))


def peer(script, *options):
    return [sys.executable, str(HERE / script), "--processes", str(CORES), *options]


# Name and command. Measured are the whole time of the process and the times it reports for its training.
PEERS = {
    "torch": ("PyTorch, a process per core", peer("torch_peer.py")),
    "jax": ("JAX, a process per core", peer("jax_peer.py")),
    "jax-one": ("JAX, one process with all cores", peer("jax_peer.py", "--processes", "1")),
    "numpy-f32": ("NumPy f32, a process per core", peer("numpy_peer.py")),
    "numpy-f32-one": ("NumPy f32, one process with all cores", peer("numpy_peer.py", "--processes", "1")),
    "numpy-f64": ("NumPy f64, a process per core", peer("numpy_peer.py", "--precision", "f64")),
    "numpy-f64-one": (
        "NumPy f64, one process with all cores",
        peer("numpy_peer.py", "--precision", "f64", "--processes", "1"),
    ),
    "torch-compile": ("PyTorch with `torch.compile`, a process per core", peer("torch_peer.py", "--compile", "1")),
}
USUAL = ["torch", "jax", "numpy-f32", "numpy-f64"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--paribus", type=Path, default=ROOT / "target/release/paribus", help="the program, built for release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=2, help="how many times paribus and the peak are measured in a round")
    parser.add_argument("--peers", nargs="*", default=USUAL, choices=list(PEERS), metavar="PEER", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--json", type=Path, help="the file for all timings")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the file with the markers")
    options = parser.parse_args()
    program, machine = options.paribus.resolve(), describe_machine()

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        shutil.copy(ROOT / "experiments/ch6.toml", folder)
        peak = build_peak(folder)
        own = {
            "paribus": lambda: paribus(program, folder, CORES),
            "paribus-one": lambda: paribus(program, folder, 1),
            "peak": lambda: dict(zip(["one", "all"], map(float, subprocess.check_output([peak]).split()))),
        }
        turns = [*options.peers, *own]
        measured = {name: [] for name in turns}
        for round in range(options.rounds):
            for place in range(len(turns)):
                name = turns[(place + round) % len(turns)]
                for _ in range(options.times if name in own else 1):
                    result = own[name]() if name in own else train(name)
                    measured[name].append({**result, "round": round, "load": os.getloadavg()[0]})
                    print(f"{name}: {json.dumps(result)}", file=sys.stderr)
            table = render(measured, machine)
            if options.json:
                content = {"machine": machine, "operations": dense_operations(), "measured": measured}
                options.json.write_text(json.dumps(content, indent=1) + "\n")
            if options.write:
                put(options.write, "ch6", table)
    print(table)


def build_peak(folder):
    flags = ["--edition", "2024", "-C", "opt-level=3", "-C", "target-cpu=native"]
    built = subprocess.run(["rustc", *flags, HERE / "peak.rs", "-o", folder / "peak"], capture_output=True, text=True)
    if built.returncode:
        sys.exit(built.stderr)
    return folder / "peak"


def paribus(program, folder, jobs):
    begin = time.perf_counter()
    process = subprocess.Popen([program, "run", "ch6.toml", "--fresh", "--quiet", "--jobs", str(jobs)], cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit("paribus failed")
    return {"whole": time.perf_counter() - begin, "processor": usage.ru_utime + usage.ru_stime}


def train(name):
    begin = time.perf_counter()
    result = json.loads(subprocess.check_output(PEERS[name][1], cwd=HERE))
    result["whole"] = time.perf_counter() - begin
    for label in ORDER:
        least, most = LEARNED[label]
        if not least <= result["means"][label] <= most:
            mean = result["means"][label]
            sys.exit(f"{name} did not learn: the mean of the last losses of {label} is {mean}, not {least} to {most}")
    return result


def describe_machine():
    """The processor, and the versions of Python and the peers."""
    cpu = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpu)
    family = [re.search(rf"{key}\s*: (\d+)", cpu) for key in ["cpu family", "model"]]
    vectors = "AVX-512" if " avx512f" in cpu else "AVX2" if " avx2" in cpu else "SSE2"
    cache = subprocess.run(["getconf", "LEVEL2_CACHE_SIZE"], capture_output=True, text=True).stdout.strip()
    return {
        "cpu": model[1] if model else platform.processor(),
        "family": "/".join(found[1] for found in family if found),
        "vectors": vectors,
        "cores": CORES,
        "l2": int(cache) // 1024 if cache.isdigit() else None,
        "python": platform.python_version(),
        **{name: version(name) for name in ["torch", "jax", "numpy"]},
    }


def render(measured, machine):
    def least(name, key="whole"):
        return min(result[key] for result in measured[name])

    def seconds(name, key="whole"):
        return f"{least(name, key):.2f} ({statistics.median(result[key] for result in measured[name]):.2f})"

    one, every = (max(result[key] for result in measured["peak"]) for key in ["one", "all"])
    limit, limit_one = dense_operations() / 1e9 / every, dense_operations() / 1e9 / one
    own = least("paribus")
    rows = [["paribus", seconds("paribus"), "", own, least("paribus", "processor")]]
    for name in measured:
        if name in PEERS:
            training, processor = least(name, "training"), least(name, "processor")
            rows.append([PEERS[name][0], seconds(name), seconds(name, "training"), training, processor])
            if "compilation" in measured[name][0]:
                rows[-1][0] += ", compiled before"
                both = [result["training"] + result["compilation"] for result in measured[name]]
                text = f"{min(both):.2f} ({statistics.median(both):.2f})"
                rows.append([PEERS[name][0] + ", with compilation", seconds(name), text, min(both), None])
    rows[1:] = sorted(rows[1:], key=lambda row: row[3])
    lines = [
        "| | whole command, s | training alone, s | ÷ dense limit | ÷ paribus | processor time, s | ÷ paribus |",
        "|---|---|---|---|---|---|---|",
        f"| dense limit | | {limit:.2f} | 1.00 | {limit / own:.2f} | {limit_one:.2f} | {limit_one / rows[0][4]:.2f} |",
    ]
    for name, whole, training, time, processor in rows:
        taken = f"{processor:.2f} | {processor / rows[0][4]:.2f}" if processor else "|"
        lines.append(f"| {name} | {whole} | {training} | {time / limit:.2f} | {time / own:.2f} | {taken} |")
    scaling = least("paribus-one") / own
    family = f" (family/model {machine['family']})" if machine["family"] else ""
    cache = f", {machine['l2']} KiB of L2 each" if machine["l2"] else ""
    loads = [result["load"] for results in measured.values() for result in results]
    busy = (
        "The machine had other work to do, which makes wall-clock times longer by different amounts: trust processor time. "
        if max(loads) > 1.5 * machine["cores"]
        else ""
    )
    return "\n".join(
        [
            *lines,
            "",
            f"Minima, and medians in brackets. Measured in turn: paribus {len(measured['paribus'])} times, "
            f"each of the others {max(len(results) for name, results in measured.items() if name in PEERS)} times. "
            f"{machine['cpu']}{family}, {machine['vectors']}, {machine['cores']} cores{cache}. "
            f"Peak of f32 multiply-adds in the same minutes: {one:.1f} GFLOP/s on one core, {every:.1f} on all. "
            f"Load average meanwhile: {min(loads):.1f} to {max(loads):.1f}, own work included. {busy}"
            f"PyTorch {machine['torch']}, JAX {machine['jax']}, NumPy {machine['numpy']}, Python {machine['python']}.",
            "",
            f"The same with `--jobs 1`, measured in turn: {seconds('paribus-one')} s; "
            f"{machine['cores']} jobs are {scaling:.2f} times as fast.",
        ]
    )


def put(file, name, text):
    """Replaces what is between the markers."""
    begin, end = f"<!-- {name}: begin, written by benches/peers -->", f"<!-- {name}: end -->"
    before, found, rest = file.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        sys.exit(f"{file} has no line `{begin}` and, after it, `{end}`")
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}")


if __name__ == "__main__":
    main()
