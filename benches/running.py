"""Measurements of running and stopped containers: exec, many at once, listing, logs, copying."""

import os
import threading
import time

STOPPED = 1000
FILES = 10_000


class Running:
    """Mixed into the bench: `rows`, `prepared()`, `row()` are its."""

    def exec(self):
        """`/bin/true` in a container that runs already."""
        engines = [engine for engine in self.prepared().values() if hasattr(engine, "exec_times")]
        held = [(engine, *engine.sleeper_named()) for engine in engines]
        times = {engine.name: [] for engine in engines}
        try:
            for engine, name, _ in held:
                engine.exec_times(name, 2)  # warms caches
            for _ in range(self.options.rounds):
                for engine, name, _ in held:
                    count = {"shanty": 100, "runc": 20}.get(engine.name, 5)
                    times[engine.name] += [seconds * 1000 for seconds in engine.exec_times(name, count)]
        finally:
            for _, _, remove in held:
                remove()
        rows = {name: self.row("`exec` of `/bin/true` in a running container", name, values, "ms") for name, values in times.items()}
        if "shanty" in rows:
            rows["shanty"].at_most(5)
            rows["shanty"].times_faster(rows.get("runc"), 4)
            rows["shanty"].times_faster(rows.get("docker"), 15)

    def many(self):
        """Many containers at once: how fast they come, and what each of them costs while it sleeps."""
        engines = dict(self.prepared())
        if self.options.static:
            engines["shanty, static"] = self.static_engine()
        rates = {}
        memory = {}
        for name, engine in engines.items():
            if not hasattr(engine, "start_many"):
                continue
            try:
                seconds, keepers = engine.start_many(self.options.many)
                time.sleep(2)  # what they need once, they have by now
                rates[name] = self.options.many / seconds
                memory[name] = sum(map(anonymous, keepers)) / len(keepers) / 1024
            finally:
                engine.remove_all()
        for name, rate in rates.items():
            row = self.row(f"{self.options.many} containers from one script, each second", name, [rate], "")
            if name == "shanty":
                for other in ["docker", "podman"]:
                    if other in rates:
                        row.remark(f"{rate / rates[other]:.1f}× {other}'s")
        for name, megabytes in memory.items():
            row = self.row(f"memory beside each of {self.options.many}: anonymous", name, [megabytes], "MB")
            if name == "shanty, static":
                row.at_most(0.15)

    def list(self):
        """`containers(#{ all: true })` where all have stopped, the first call of a script."""
        engine = self.fresh("list")
        if engine is None:
            return
        engine.eval(f'par_map(0..{STOPPED}, |i| {{ image("{engine.image}").create(#{{ network: "none" }}); () }}, #{{ limit: 4 }}); ()')
        # About half of them have run.
        engine.mark_as_exited()
        code = "let s = now(); let all = containers(#{ all: true }); let e = now(); [(e - s).seconds, all.len]"
        times = []
        for _ in range(5 * self.options.rounds):
            seconds, count = engine.eval(code)
            assert count == STOPPED, count
            times.append(seconds * 1000)
        self.row(f"`containers()` with {STOPPED} stopped", "shanty", times, "ms").at_most(20)
        # They have nothing but their folders, which go with the root's.
        engine.stop()
        self.running.remove(engine)

    def logs(self):
        """A container that prints as fast as it is read: bytes a second, lines lost, memory of who reads."""
        source = f"{self.folder}/lines"
        size = self.options.log_megabytes * 1_000_000
        if not os.path.exists(source):
            line = "x" * 88
            with open(source, "w") as file:
                for first in range(0, size // 100, 10_000):
                    file.write("".join(f"{number:010} {line}\n" for number in range(first, first + 10_000)))
        os.sync()
        lines = size // 100
        for name, engine in self.prepared().items():
            if not hasattr(engine, "print_file"):
                continue
            started = time.perf_counter()
            keeper, end, read, remove = engine.print_file(source)
            most = Watcher(keeper)
            end()
            seconds = time.perf_counter() - started
            kilobytes = most.stop()
            row = self.row("log of a container that prints as fast as it can", name, [size / seconds / 1e6], "MB/s")
            if name == "shanty":
                row.at_least(100)
            if name == "shanty":
                last, gaps = numbers_of(read())
                self.row("lines lost of those, and out of order", name, [lines - 1 - (-1 if last is None else last) + gaps], "").at_most(0)
            if kilobytes:
                self.row("most anonymous memory of who reads them", name, [kilobytes / 1024], "MB")
            remove()

    def copy(self):
        """10,000 small files into a running container and back."""
        source = f"{self.folder}/files"
        if not os.path.exists(source):
            for folder in range(100):
                os.makedirs(f"{source}/{folder}")
                for number in range(FILES // 100):
                    with open(f"{source}/{folder}/{number}", "w") as file:
                        file.write(f"{folder} {number}\n" * 20)
        engines = [engine for engine in self.prepared().values() if hasattr(engine, "copy")]
        into, back = {}, {}
        for generation in range(max(1, self.options.rounds // 2)):
            for engine in engines:
                name, remove = engine.sleeper_named()
                try:
                    os.sync()
                    into.setdefault(engine.name, []).append(engine.copy(name, source, f"{name}:/files", generation))
                    target = f"{self.folder}/back-{engine.name}-{generation}"
                    os.makedirs(target)
                    back.setdefault(engine.name, []).append(engine.copy(name, f"{name}:/files", target, generation))
                    found = sum(len(files) for _, _, files in os.walk(target))
                    if found != FILES:
                        raise RuntimeError(f"{engine.name} copied {found} files of {FILES}")
                finally:
                    remove()
        for what, times in [("into a container", into), ("out of a container", back)]:
            rows = {name: self.row(f"copy of {FILES} small files {what}", name, values, "s") for name, values in times.items()}
            if "shanty" in rows and "docker" in rows:
                rows["shanty"].remark(f"{rows['docker'].median / rows['shanty'].median:.1f}× faster than docker")


class Watcher:
    """The most anonymous memory that a process has while it is watched, KiB."""

    def __init__(self, pid):
        self.pid, self.most, self.ended = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.ended.wait(0.05):
            try:
                self.most = max(self.most, anonymous(self.pid))
            except (FileNotFoundError, ProcessLookupError, StopIteration):
                return

    def stop(self):
        self.ended.set()
        self.thread.join()
        return self.most


def anonymous(pid):
    """KiB of memory that is not backed by a file: clean file pages are shared by all monitors."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))


def numbers_of(lines):
    """The number of the last line, and how often one does not follow the one before."""
    last, gaps = None, 0
    for line in lines:
        if len(line) < 10 or not line[:10].isdigit():
            continue
        number = int(line[:10])
        if last is not None and number != last + 1:
            gaps += 1
        last = number
    return last, gaps
