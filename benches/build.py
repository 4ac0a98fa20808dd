"""Builds beside Docker's classic builder and Podman's (which is buildah): unchanged, with one change, and from nothing."""

import os
import time

from engines import timed

STEPS = 20
FILES = 50_000
CHANGED = 200
NODE = """FROM {node}
WORKDIR /app
COPY package.json ./
COPY greeting greeting
RUN node -e "require('fs').cpSync('greeting', 'node_modules/greeting', {{ recursive: true }})"
COPY . .
CMD ["node", "index.js"]
"""


class Building:
    """Benches of the class that measures."""

    def build(self):
        self.unchanged_and_changed()
        self.many_commands()
        self.large_context()
        self.node_application()

    def unchanged_and_changed(self):
        """Twenty steps that were all done before, and the same with another file in the last one."""
        folder = self.context("steps")
        write(f"{folder}/last", "0")
        # Only commands that change something have layers in every builder.
        lines = [f"RUN echo {number} > /file{number}" for number in range(STEPS - 1)]
        write(f"{folder}/Dockerfile", "\n".join([f"FROM {self.busybox}", *lines, "COPY last /last", ""]))
        unchanged, changed = {}, {}
        for round in range(self.options.rounds):
            for engine in self.builders():
                if round == 0:
                    build(engine, folder)
                write(f"{folder}/last", f"{engine.name} {round} {time.time()}")
                note(changed, engine, build(engine, folder))
                note(unchanged, engine, build(engine, folder))
        self.compared(f"build of {STEPS} steps, nothing changed", unchanged, at_most=15)
        self.compared(f"build of {STEPS} steps, one file of the last one changed", changed, at_most=150)

    def many_commands(self):
        """What one command costs."""
        folder, times = self.context("commands"), {}
        lines = [f"RUN true {number}" for number in range(STEPS)]
        write(f"{folder}/Dockerfile", "\n".join([f"FROM {self.busybox}", *lines, ""]))
        for _ in range(self.options.rounds):
            for engine in self.builders():
                note(times, engine, build(engine, folder, cache=False) / STEPS)
        self.compared("`RUN true`, one of 20", times, at_most=15)

    def large_context(self):
        """Finding out that nothing has changed, though some files are newer."""
        folder = self.context("large")
        for number in range(FILES):
            path = f"{folder}/all/{number // 500}/{number}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write(path, f"file {number}\n")
        write(f"{folder}/Dockerfile", f"FROM {self.busybox}\nCOPY all /all\n")
        shanty, times, found = self.prepared().get("shanty"), {}, []
        if shanty is None:
            return
        build(shanty, folder)
        for _ in range(self.options.rounds):
            for number in range(0, FILES, FILES // CHANGED):
                os.utime(f"{folder}/all/{number // 500}/{number}")
            found.append(timed("find", folder, "-printf", "%p %T@ %s\n") * 1000)
            note(times, shanty, build(shanty, folder))
        what = f"context of {FILES:,} files, {CHANGED} of them newer, nothing changed"
        limit = self.row(what, "find", found, "ms").median * 2
        self.row(what, "shanty", times["shanty"], "ms").at_most(round(limit))

    def node_application(self):
        """A small application and a dependency of its own, without any cache. The fixture image has no npm: node does what that would."""
        folder, times = self.context("application"), {}
        write(f"{folder}/Dockerfile", NODE.format(node=self.node))
        write(f"{folder}/package.json", '{ "name": "app", "version": "1.0.0", "dependencies": { "greeting": "file:greeting" } }')
        write(f"{folder}/index.js", "console.log(require('greeting'))\n")
        os.makedirs(f"{folder}/greeting")
        write(f"{folder}/greeting/package.json", '{ "name": "greeting", "version": "1.0.0" }')
        write(f"{folder}/greeting/index.js", "module.exports = 'hello'\n")
        for engine in self.builders():
            engine.pull(self.node)
        for _ in range(self.options.rounds):
            for engine in self.builders():
                note(times, engine, build(engine, folder, cache=False))
        rows = self.compared("build of a Node.js application, without cache", times)
        for other in ["docker", "podman"]:
            if "shanty" in rows:
                rows["shanty"].times_faster(rows.get(other), 1)

    def builders(self):
        return [engine for name, engine in self.prepared().items() if name != "runc"]

    def context(self, name):
        folder = f"{self.folder}/build/{name}"
        os.makedirs(folder)
        return folder

    def compared(self, what, times, at_most=None):
        rows = {name: self.row(what, name, values, "ms") for name, values in times.items()}
        if at_most is not None and "shanty" in rows:
            rows["shanty"].at_most(at_most)
        return rows


def build(engine, folder, cache=True):
    """Milliseconds of a whole command. No step has a network: two of the engines could not give it one here."""
    if engine.name == "shanty":
        code = f'build("{folder}", #{{ tag: "built", network: "none", no_cache: {str(not cache).lower()} }}); ()'
        return timed(engine.binary, "--quiet", "eval", code, env=engine.environment) * 1000
    options = ["--quiet", "--network", "none", "--tag", "built", *([] if cache else ["--no-cache"])]
    if engine.name == "podman":
        options += ["--layers", "--tls-verify=false"]
    return timed(*engine.client, "build", *options, folder, env={**os.environ, "DOCKER_BUILDKIT": "0"}) * 1000


def note(times, engine, value):
    times.setdefault(engine.name, []).append(value)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
