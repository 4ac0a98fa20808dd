"""Images: pull, push, save, load and removal, beside Docker, Podman and skopeo."""

import itertools
import json
import os
import time

import layouts
from engines import Docker, Podman, Registry, Shanty, Skopeo, run

# How many times as fast as the neighbour a pull is to be: with layers that are not unpacked, and unpacked.
PULL = {"shanty": (8, 5), "shanty, folders": (5, 3)}
MEMORY = 64


class Images:
    """A part of the bench: expects `self.row`, `self.engine`, `self.keep`, `self.options`."""

    numbers = itertools.count()

    def images(self):
        made = layouts.make(self.folder, self.options.fixtures)
        registry = self.keep(Registry(f"{self.folder}/images", []))
        for what, source in made.items():
            name = registry.name(f"{'big' if '1 GB' in what else 'many'}:1")
            Skopeo(f"{self.folder}/skopeo", f"i{next(self.numbers)}").copy(source, f"docker://{name}")
            self.image(what, name)

    def pipeline(self):
        """From a layer's compressed bytes into the store, beside inflating alone, without a registry."""
        layer = layouts.biggest_layer(f"{self.options.fixtures}/node")
        command = ["cargo", "bench", "--quiet", "--bench", "pipeline", "--", layer, str(self.options.rounds)]
        times = json.loads(run(*command, cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
        what = "a layer of 98 MB"
        alone = self.row(f"{what}: inflated, nothing else", "shanty", times["inflate"], "s")
        for step, text in [("keep", "inflated, hashed, kept and indexed"), ("unpack", "inflated, hashed, unpacked")]:
            row = self.row(f"{what}: {text}", "shanty", times[step], "s")
            if step == "keep":
                row.at_most(round(1.3 * alone.median, 3))

    def image(self, what, name):
        times = {}
        for _ in range(self.options.rounds):
            for label, engine in self.neighbours():
                for verb, seconds in self.life(engine, name):
                    times.setdefault(verb, {}).setdefault(label, []).append(seconds)
                engine.stop()
                self.running.remove(engine)
        for verb, values in times.items():
            unit = "MB" if "memory" in verb else "s"
            rows = {label: self.row(f"{verb}, {what}", label, list_, unit) for label, list_ in values.items()}
            for label, factors in PULL.items():
                if verb == "pull" and label in rows:
                    for neighbour, factor in zip(("docker", "podman"), factors):
                        rows[label].times_faster(rows.get(neighbour), factor)
                if unit == "MB" and label in rows:
                    rows[label].at_most(MEMORY)
            if verb == "remove" and "60,000" in what and "shanty" in rows:
                rows["shanty"].at_most(0.2)

    def neighbours(self):
        """A new store each: creating files after a mass deletion is slow on ext4, and would be measured."""
        kinds = [("docker", Docker, ()), ("podman", Podman, ()), ("skopeo", Skopeo, ())]
        if self.options.shanty:
            kinds = [("shanty", Shanty, (self.options.shanty,)), ("shanty, folders", Shanty, (self.options.shanty,)), *kinds]
        for label, kind, arguments in kinds:
            engine = self.engine(kind, *arguments, generation=f"i{next(self.numbers)}")
            if engine is None:
                continue
            if label.endswith("folders"):
                engine.environment["SHANTY_LAYERS"] = "folder"
            yield label, engine

    def life(self, engine, name):
        """What is done with an image, and how long each takes; every verb starts with nothing left to write."""
        archive = f"{self.folder}/archive.tar"
        steps = [("pull", lambda: engine.pull(name)), ("save", lambda: engine.save(name, archive))]
        # Nobody else may have sent the blobs there before.
        target = self.keep(Registry(f"{self.folder}/to-{engine.name}-{time.monotonic_ns()}", []))
        to = target.name(name.partition("/")[2])
        steps += [("push", lambda: engine.push(name, to)), ("remove", lambda: engine.remove(name))]
        steps += [("load", lambda: engine.load(archive))]
        for verb, step in steps:
            os.sync()
            yield verb, step()
            if isinstance(engine, Shanty) and verb != "remove":
                yield f"{verb}: peak memory", engine.peak
        target.stop()
        self.running.remove(target)
        os.unlink(archive)
