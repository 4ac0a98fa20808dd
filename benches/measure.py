#!/usr/bin/env python3
"""Measures Shanty and its neighbours in one interleaved run; see benches/run."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import catalogue
import report
from build import Building
from engines import Absent, Docker, Podman, Registry, Runc, Shanty, run, wait_until
from images import Images
from networks import Networks
from rootless import Rootless
from running import Running, anonymous

SEQUENCE = 500
BENCHES = ["start", "sequence", "eval", "exec", "many", "list", "logs", "copy", "pull", "pipeline", "images", "monitor", "catalogue", "network", "connect", "backup", "build", "rootless", "rootless_pull", "rootless_network"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", required=True)
    parser.add_argument("--shanty", help="release binary; without it only the neighbours are measured")
    parser.add_argument("--static", help="static binary, for the monitor's memory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(BENCHES), help="some of them, separated by commas")
    parser.add_argument("--many", type=int, default=200, help="containers of the bench `many`")
    parser.add_argument("--log-megabytes", type=int, default=500, help="output of the container of the bench `logs`")
    parser.add_argument("--no-write", action="store_true", help="leave benches/RESULTS.md alone")
    options = parser.parse_args()

    unknown = [name for name in options.only.split(",") if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    # What was started is stopped also when this is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(options)
    try:
        for name in options.only.split(","):
            print(f"measuring: {name}", file=sys.stderr)
            try:
                getattr(bench, name)()
            except Exception as failure:
                # What was measured before is still worth its place in the table.
                print(failure, file=sys.stderr)
                bench.notes.append(f"`{name}` failed: {(str(failure) or type(failure).__name__).splitlines()[0]}")
                bench.failed = True
    finally:
        bench.stop()
    text = report.render(bench.rows, bench.notes, bench.versions, sys.argv[1:])
    print(text)
    if not options.no_write:
        with open(os.path.join(os.path.dirname(__file__), "RESULTS.md"), "w") as file:
            file.write(text)
    sys.exit(1 if bench.failed or any(row.missed for row in bench.rows) else 0)


class Bench(Running, Images, Networks, Building, Rootless):
    def __init__(self, options):
        self.options = options
        self.rows, self.notes, self.versions = [], [], {}
        self.failed, self.static = False, None
        self.folder = tempfile.mkdtemp(prefix="shanty-bench-")
        self.running, self.engines = [], {}
        try:
            self.start_registry(options)
        except (RuntimeError, OSError):
            self.stop()
            raise

    def start_registry(self, options):
        node, busybox = (f"oci:{options.fixtures}/{image}" for image in ["node:18", "busybox:latest"])
        self.registry = self.keep(Registry(f"{self.folder}/registry", [(node, "node:18"), (busybox, "busybox:latest")]))
        self.node, self.busybox = self.registry.name("node:18"), self.registry.name("busybox:latest")

    def keep(self, thing):
        self.running.append(thing)
        return thing

    def stop(self):
        for thing in reversed(self.running):
            try:
                thing.stop()
            except (RuntimeError, OSError) as failure:
                # The others are to be stopped as well.
                print(failure, file=sys.stderr)
        shutil.rmtree(self.folder, ignore_errors=True)

    def engine(self, kind, *arguments, **options):
        """A new engine, or None where it is absent."""
        try:
            engine = self.keep(kind(f"{self.folder}/{kind.name}", *arguments, **options))
        except Absent as why:
            note = f"{kind.name} was skipped: {why}"
            if note not in self.notes:
                self.notes.append(note)
            return None
        self.versions[kind.name] = engine.version
        return engine

    def prepared(self):
        """Engines that have the small image, made once."""
        if not self.engines:
            rootfs = f"{self.folder}/rootfs"
            unpack(f"{self.options.fixtures}/busybox", rootfs)
            made = [self.engine(Runc, rootfs), self.engine(Docker), self.engine(Podman)]
            if self.options.shanty:
                made.insert(0, self.engine(Shanty, self.options.shanty))
            for engine in filter(None, made):
                if hasattr(engine, "prepare"):
                    engine.prepare(self.busybox)
                self.engines[engine.name] = engine
        return self.engines

    def static_engine(self):
        """The static build, made once."""
        if self.static is None:
            self.static = self.engine(Shanty, self.options.static, generation="static")
            self.static.prepare(self.busybox)
        return self.static

    def fresh(self, generation):
        """A root of its own for one measurement; None where there is no shanty."""
        if not self.options.shanty:
            return None
        engine = self.engine(Shanty, self.options.shanty, generation=generation)
        engine.prepare(self.busybox)
        return engine

    def row(self, what, engine, values, unit, target=None):
        row = report.Row(what, engine, values, unit, target)
        self.rows.append(row)
        return row

    def catalogue(self):
        """Ten thousand images of ten layers each; what does not depend on their number is also measured with a hundred."""
        for images in [100, 10_000]:
            engine = self.fresh(f"catalogue-{images}")
            if engine is None:
                return
            catalogue.fill(engine.root, images, 10)
            script = [engine.binary, "run", "--json", f"{os.path.dirname(os.path.abspath(__file__))}/catalogue.rhai"]
            times = json.loads(run(*script, str(self.options.rounds), env=engine.environment))
            for what, limit in [("images()", 100), ("inspect()", 5), ("remove()", 50)]:
                row = self.row(f"`{what}` of {images:,} images", engine.name, times[what], "ms")
                row.at_most(limit)

    def start(self):
        """The whole life of a container that runs /bin/true, as the caller sees it."""
        for network, target in [("none", 10), ("bridge", 14)]:
            engines = [engine for engine in self.prepared().values() if network in engine.networks]
            times = {engine.name: [] for engine in engines}
            for engine in engines:
                engine.start_times(network, 2)  # warms caches
            for _ in range(self.options.rounds):
                for engine in engines:
                    count = {"shanty": 40, "runc": 20}.get(engine.name, 5)
                    times[engine.name] += [seconds * 1000 for seconds in engine.start_times(network, count)]
            what = f"`/bin/true`, network {network}"
            rows = {name: self.row(what, name, values, "ms") for name, values in times.items()}
            if "shanty" in rows:
                rows["shanty"].at_most(target)
                if network == "none":
                    rows["shanty"].times_faster(rows.get("runc"), 4)
                    rows["shanty"].times_faster(rows.get("docker"), 25)

    def sequence(self):
        """Many in a row, until the last trace of them is gone: the mean."""
        engines = self.prepared()
        if "shanty" in engines:
            shanty = engines["shanty"]
            started = time.perf_counter()
            shanty.start_times("none", SEQUENCE)
            try:
                wait_until(lambda: not shanty.left())
            except RuntimeError:
                left = shanty.left()
                self.notes.append(f"shanty left {len(left)} things behind, such as {left[0].removeprefix(self.folder)}")
            mean = (time.perf_counter() - started) * 1000 / SEQUENCE
            self.row(f"{SEQUENCE} in sequence until nothing is left, mean", "shanty", [mean], "ms").at_most(25)
        if "runc" in engines:
            started = time.perf_counter()
            engines["runc"].start_times("none", SEQUENCE)
            mean = (time.perf_counter() - started) * 1000 / SEQUENCE
            self.row(f"{SEQUENCE} in sequence until nothing is left, mean", "runc", [mean], "ms")

    def eval(self):
        """A whole process that evaluates one number, beside one that does nothing."""
        commands = {"/bin/true": ["/bin/true"]}
        if self.options.shanty:
            commands["shanty"] = [os.path.abspath(self.options.shanty), "eval", "1"]
        times = {name: [] for name in commands}
        for _ in range(100 * self.options.rounds // 5):
            for name, command in commands.items():
                times[name].append(process_time(command) * 1000)
        for name, values in times.items():
            row = self.row("`shanty eval '1'`, whole process", name, values, "ms")
            if name == "shanty":
                row.at_most(5)

    def pull(self):
        """A layer of about 98 MB and 10,000 files into an empty store, from a registry on loopback."""
        kinds = [(Docker, ()), (Podman, ())]
        if self.options.shanty:
            kinds.insert(0, (Shanty, (self.options.shanty,)))
        times = {}
        for generation in range(1, max(3, self.options.rounds) + 1):
            for kind, arguments in kinds:
                # A new store each time: creating files after a mass deletion is slow on ext4, and would be measured.
                engine = self.engine(kind, *arguments, generation=generation)
                if engine is None:
                    continue
                os.sync()
                times.setdefault(kind.name, []).append(engine.pull(self.node))
                engine.stop()
                self.running.remove(engine)
        rows = {name: self.row("pull of the 98 MB layer, cold", name, values, "s") for name, values in times.items()}
        if "shanty" in rows:
            rows["shanty"].times_faster(rows.get("docker"), 5)

    def monitor(self):
        """Memory of the process beside a running container that nothing else shares."""
        what = "process beside a container: anonymous memory"
        engines = dict(self.prepared())
        if self.options.static:
            engines["shanty, static"] = self.static_engine()
        for name, engine in engines.items():
            if hasattr(engine, "sleeper"):
                pid, remove = engine.sleeper()
                time.sleep(1)  # what it needs once, it has by now
                row = self.row(what, name, [anonymous(pid) / 1024], "MB")
                if name == "shanty, static":
                    row.at_most(0.15)
                remove()


def unpack(layout, folder):
    """The only layer of a fixture image, for an engine that has no images."""
    blobs = f"{layout}/blobs/sha256"
    layer = max(os.listdir(blobs), key=lambda name: os.path.getsize(f"{blobs}/{name}"))
    os.makedirs(folder)
    run("tar", "--extract", "--gzip", "--file", f"{blobs}/{layer}", "--directory", folder)


def process_time(command):
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
