"""Ordinary users beside root and rootless Podman: starts, pulls, and networks with what joins those with the outside."""

import os
import pwd
import subprocess

from engines import Absent, Podman, Shanty, program, run, wait_until
from networks import ShantyThere, throughput

USER = "shanty-bench"
# The machine's address, and that of another one.
HERE, THERE = "192.0.2.1", "192.0.2.2"


class User:
    """An ordinary user with ranges of ids, and a folder of its own."""

    def __init__(self, folder):
        run(program("useradd"), "--create-home", "--home-dir", f"{folder}/user", USER)
        self.entry = pwd.getpwnam(USER)
        self.home = f"{folder}/user"
        os.chmod(folder, 0o755)
        os.chmod(self.home, 0o755)
        self.runtime = f"{self.home}/run"
        os.mkdir(self.runtime, 0o700)
        os.chown(self.runtime, self.entry.pw_uid, self.entry.pw_gid)

    def calls(self, name, program, **environment):
        """A program that calls another one as the user."""
        path = f"{self.home}/{name}"
        variables = {"HOME": self.home, "XDG_RUNTIME_DIR": self.runtime, **environment}
        words = " ".join(f"{key}={value}" for key, value in variables.items())
        with open(path, "w") as file:
            file.write(f'#!/bin/sh\nexec setpriv --reuid={self.entry.pw_uid} --regid={self.entry.pw_gid} --clear-groups env {words} {program} "$@"\n')
        os.chmod(path, 0o755)
        return path

    def stop(self):
        subprocess.run(["pkill", "-KILL", "-u", USER])
        wait_until(lambda: subprocess.run(["pgrep", "-u", USER], capture_output=True).returncode != 0)
        run(program("userdel"), USER)
        for kind in ["", "-single"]:
            subprocess.run(["rm", "-rf", f"/tmp/shanty-{self.entry.pw_uid}{kind}", f"/dev/shm/shanty-{self.entry.pw_uid}{kind}"])


class ShantyOfUser(Shanty):
    """With `name`, by a program that calls it as the user."""

    def __init__(self, folder, user, binary, name, generation=0, **environment):
        self.name = name
        shared = f"{user.home}/shanty"
        if not os.path.exists(shared):
            run("cp", binary, shared)
        super().__init__(f"{user.home}/{name.replace(' ', '-').replace(',', '')}", user.calls(f"call-{name.replace(' ', '-').replace(',', '')}", shared, **environment), generation)

    def stop(self):
        self.eval('for c in containers(#{ all: true }) { c.remove(#{ force: true }) } ()')


class PodmanOfUser(Podman):
    name = "podman, rootless"

    def __init__(self, folder, user, generation=0):
        # Where it keeps things is the user's own.
        self.user = user
        self.folder = f"{user.home}/podman-{generation}"
        self.client = [user.calls("podman", program("podman")), "--storage-driver", "overlay", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
        try:
            self.version = run(*self.client, "--version").split()[-1]
            run(*self.client, "info")
        except RuntimeError as why:
            raise Absent(str(why).splitlines()[-1])

    def pull(self, image):
        run(*self.client, "rmi", "--all", "--force")
        return super().pull(image)

    def stop(self):
        subprocess.run([*self.client, "system", "reset", "--force"], capture_output=True)


class Machine:
    """A network of its own with another machine beside it; there, users may open `/dev/net/tun`."""

    def __init__(self):
        script = "mount -t tmpfs tmpfs /dev/net; mknod -m 666 /dev/net/tun c 10 200; exec sleep infinity"
        self.here = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", f"mkdir -p /dev/net; {script}"])
        self.there = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        for process in [self.here, self.there]:
            wait_until(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        self.enter = ["nsenter", f"--net=/proc/{self.here.pid}/ns/net", f"--mount=/proc/{self.here.pid}/ns/mnt"]
        self.enter_there = ["nsenter", f"--net=/proc/{self.there.pid}/ns/net"]
        run(*self.enter, "sh", "-ec", f"ip link set lo up; ip link add up0 type veth peer name up1 netns {self.there.pid}; ip link set up0 up; ip address add {HERE}/24 dev up0; ip route add default via {THERE}")
        run(*self.enter_there, "sh", "-ec", f"ip link set lo up; ip link set up1 up; ip address add {THERE}/24 dev up1")
        self.server = subprocess.Popen([*self.enter_there, program("iperf3"), "--server"], stdout=subprocess.DEVNULL)

    def stop(self):
        for process in [self.server, self.here, self.there]:
            process.kill()
            process.wait()


class PodmanThere:
    """Rootless Podman in that network, with slirp4netns."""

    name = "podman, slirp4netns"

    def __init__(self, podman, machine):
        program("slirp4netns")
        self.client = [*machine.enter, *podman.client]
        # Its process that keeps the user's namespace is in the machine's mounts, without the device.
        run(*podman.client, "system", "migrate")

    def load(self, archive):
        run(*self.client, "load", "--quiet", "--input", archive)

    def start(self, name, image, port, command):
        published = ["--publish", f"{port}:{port}"] if port else []
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        run(*self.client, "run", "--detach", "--name", name, *limits, "--network", "slirp4netns", *published, image, *command)

    def pid(self, name):
        return int(run(*self.client, "inspect", "--format", "{{.State.Pid}}", name))

    def stop(self):
        run(*self.client, "rm", "--all", "--force", "--time", "0")


class Rootless:
    """Benches of the class that measures."""

    def user(self):
        if not hasattr(self, "_user"):
            self._user = self.keep(User(self.folder))
        return self._user

    def of_user(self, name, generation=0, **environment):
        return self.engine(ShantyOfUser, self.user(), self.options.shanty, name, generation=generation, **environment)

    def rootless(self):
        """The whole life of a container without network that runs /bin/true, as the caller sees it."""
        if not self.options.shanty:
            return
        engines = [self.fresh("rootless"), self.of_user("shanty, ranges"), self.of_user("shanty, one id", SHANTY_SINGLE_ID="1"), self.engine(PodmanOfUser, self.user())]
        engines = [engine for engine in engines if engine]
        times = {engine.name: [] for engine in engines}
        for engine in engines:
            engine.prepare(self.busybox)
            engine.start_times("none", 2)  # warms caches
        for _ in range(self.options.rounds):
            for engine in engines:
                count = 5 if "podman" in engine.name else 40
                times[engine.name] += [seconds * 1000 for seconds in engine.start_times("none", count)]
        rows = {name: self.row("`/bin/true`, network none, without root", name, values, "ms") for name, values in times.items()}
        rows["shanty, ranges"].at_most(12)
        rows["shanty, one id"].at_most(8)
        rows["shanty, ranges"].times_faster(rows.get("podman, rootless"), 10)

    def rootless_pull(self):
        """The layer of about 98 MB into an empty store, as folders; as many times as there are rounds, each into a new one."""
        if not self.options.shanty:
            return
        times = {}
        for generation in range(1, max(3, self.options.rounds) + 1):
            root = self.fresh(f"folders-{generation}")
            root.name, root.environment = "shanty, root, folders", {**root.environment, "SHANTY_LAYERS": "folder"}
            engines = [root, self.of_user("shanty, ranges", f"pull-{generation}"), self.of_user("shanty, one id", f"pull-{generation}", SHANTY_SINGLE_ID="1"), self.engine(PodmanOfUser, self.user(), generation=generation)]
            for engine in filter(None, engines):
                os.sync()
                times.setdefault(engine.name, []).append(engine.pull(self.node))
        rows = {name: self.row("pull of the 98 MB layer, cold, without root", name, values, "s") for name, values in times.items()}
        for name in ["shanty, ranges", "shanty, one id"]:
            rows[name].at_most(round(rows["shanty, root, folders"].median * 1.2, 2))

    def rootless_network(self):
        """TCP between a container and another machine, in both directions; one engine after the other."""
        if not self.options.shanty:
            return
        machine = self.keep(Machine())
        root = self.fresh("rootless-network")
        tools = f"{self.folder}/tools.tar"
        root.eval(f'from("scratch").host_program("iperf3").write("/tmp/is-there", "").tag("tools"); image("tools").save("{tools}"); ()')
        os.chmod(tools, 0o644)
        engines = [ShantyThere(root, machine)]
        for name, way in [("shanty, forwarding", "forwarding"), ("shanty, pasta", "")]:
            engine = self.of_user(name, SHANTY_WAY_OUT=way)
            there = ShantyThere(engine, machine)
            there.name = name
            engines.append(there)
        engines[0].name = "shanty, root"
        try:
            engines.append(PodmanThere(self.engine(PodmanOfUser, self.user(), generation="network"), machine))
        except (Absent, AttributeError) as why:
            self.notes.append(f"slirp4netns was skipped: {why}")
        figures = {}
        for engine in engines:
            engine.load(tools)
            engine.start("server", "tools", 5201, ["iperf3", "--server"])
            if hasattr(engine, "eval"):
                self.notes.append(f"{engine.name}: the way out is `{engine.eval('info().way_out.name')}`")
            inside = ["nsenter", f"--net=/proc/{engine.pid('server')}/ns/net"]
            wait_until(lambda: connects(machine.enter_there, HERE, 5201))
            for _ in range(self.options.rounds):
                note = lambda what, value: figures.setdefault(what, {}).setdefault(engine.name, []).append(value)
                note("TCP to another machine, without root", throughput(inside, THERE))
                note("TCP to a published port, without root", throughput(machine.enter_there, HERE))
            engine.stop()
        for what, values in figures.items():
            for name, measured in values.items():
                self.row(what, name, measured, "GB/s")


def connects(enter, address, port):
    code = f"import socket; socket.create_connection(('{address}', {port}), timeout=1)"
    return subprocess.run([*enter, "python3", "-c", code], capture_output=True).returncode == 0

