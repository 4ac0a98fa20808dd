"""The engines that are measured, each behind the same few verbs.

An engine that is not installed raises `Absent` when it is made. `start_times` gives one duration in seconds for
each container that was started, waited for and removed; `pull` the duration of one pull into an empty store.
"""

import concurrent.futures
import json
import os
import re
import shutil
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Absent(Exception):
    """Why an engine cannot be measured here."""


def program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise Absent(f"`{name}` is not installed")
    return path


def run(*command, **options):
    """Runs a command quietly; its output is shown when it fails."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: code {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def timed(*command, **options):
    started = time.perf_counter()
    run(*command, **options)
    return time.perf_counter() - started


def peak_memory(command, environment):
    """Runs a command; gives seconds, and the most memory that it had to itself, MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    peak = 0
    while True:
        try:
            with open(f"/proc/{process.pid}/status") as file:
                fields = dict(line.split(":", 1) for line in file)
            peak = max(peak, int(fields["RssAnon"].split()[0]))
        except (OSError, KeyError):
            pass
        try:
            process.wait(0.005)
            break
        except subprocess.TimeoutExpired:
            continue
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: code {process.returncode}")
    return seconds, peak / 1024


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, limit=30):
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("what was waited for did not happen")
        time.sleep(0.002)


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Registry:
    """Debian's docker-registry on a loopback port, holding fixture images."""

    def __init__(self, folder, images):
        os.makedirs(folder)
        self.port = free_port()
        config = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": True}, "level": "error"},
            "storage": {"filesystem": {"rootdirectory": f"{folder}/data"}},
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }
        with open(f"{folder}/config.yml", "w") as file:
            json.dump(config, file)  # JSON is YAML
        self.log = open(f"{folder}/log", "w")
        self.process = subprocess.Popen(
            [program("docker-registry"), "serve", f"{folder}/config.yml"], stdout=self.log, stderr=self.log
        )
        try:
            wait_until(lambda: answers(self.port))
            for source, name in images:
                run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", source, f"docker://{self.name(name)}")
        except RuntimeError:
            self.stop()
            raise

    def name(self, image):
        return f"127.0.0.1:{self.port}/{image}"

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Runc:
    name = "runc"
    networks = ("none",)

    def __init__(self, folder, rootfs):
        self.program = program("runc")
        self.held = f"{folder}/held"
        self.folder = folder
        self.version = run(self.program, "--version").split("\n")[0].removeprefix("runc version ")
        os.makedirs(f"{folder}/state")
        run(self.program, "spec", cwd=folder)
        with open(f"{folder}/config.json") as file:
            spec = json.load(file)
        spec["process"]["terminal"] = False
        spec["process"]["args"] = ["/bin/true"]
        # This machine may not allow more than it has; it makes no difference to the time.
        spec["process"].pop("rlimits", None)
        spec["root"] = {"path": rootfs, "readonly": False}
        with open(f"{folder}/config.json", "w") as file:
            json.dump(spec, file)

    def start_times(self, network, times):
        name = f"bench-{os.getpid()}"
        command = [self.program, "--root", f"{self.folder}/state", "run", "--bundle", self.folder, name]
        return [timed(*command) for _ in range(times)]

    def sleeper_named(self):
        """Starts a container that sleeps; gives its name and what removes it."""
        name = f"bench-held-{os.getpid()}"
        os.makedirs(self.held, exist_ok=True)
        with open(f"{self.folder}/config.json") as file:
            spec = json.load(file)
        spec["process"]["args"] = ["sleep", "10000"]
        with open(f"{self.held}/config.json", "w") as file:
            json.dump(spec, file)
        runc = [self.program, "--root", f"{self.folder}/state"]
        # Its output is that of this command, which would be waited for.
        subprocess.run([*runc, "run", "--detach", "--bundle", self.held, name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        return name, lambda: run(*runc, "delete", "--force", name)

    def exec_times(self, name, times):
        command = [self.program, "--root", f"{self.folder}/state", "exec", name, "/bin/true"]
        return [timed(*command) for _ in range(times)]

    def stop(self):
        pass


class Client:
    """What Docker and Podman do by the same command line."""

    def sleeper_named(self):
        name = run(*self._run("--detach", "--network", "none"), "sleep", "10000").strip()
        return name, lambda: self._remove(name)

    def exec_times(self, name, times):
        return [timed(*self.client, "exec", name, "/bin/true") for _ in range(times)]

    def start_many(self, count):
        """Starts containers that sleep, many at once; gives the seconds, and who looks after each."""
        started = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            commands = [[*self._run("--detach", "--network", "none"), "sleep", "10000"] for _ in range(count)]
            names = list(pool.map(lambda command: run(*command).strip(), commands))
        seconds = time.perf_counter() - started
        pids = run(*self.client, "inspect", "--format", "{{.State.Pid}}", *names).split()
        return seconds, [parent_of(int(pid)) for pid in pids]

    def remove_all(self):
        names = run(*self.client, "ps", "--all", "--quiet").split()
        if names:
            self._remove(*names)

    def print_file(self, path):
        """A container that prints a file; gives who reads it, and what waits for its end, reads its log, removes it."""
        name = run(*self._run("--detach", "--network", "none", "--volume", f"{path}:/lines:ro"), "cat", "/lines").strip()
        pid = int(run(*self.client, "inspect", "--format", "{{.State.Pid}}", name))
        keeper = parent_of(pid) if pid else 0
        return keeper, lambda: run(*self.client, "wait", name), None, lambda: self._remove(name)

    def copy(self, _, source, target, __):
        return timed(*self.client, "cp", source, target)


class Docker(Client):
    """Docker's daemon with folders and a socket of its own; `iptables` is left alone."""

    name = "docker"
    networks = ("none", "bridge")

    def __init__(self, folder, generation=0):
        daemon = program("dockerd")
        self.folder = f"{folder}/{generation}"
        os.makedirs(self.folder)
        socket_path = f"{self.folder}/docker.sock"
        client = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else program("docker")
        self.client = [client, "-H", f"unix://{socket_path}"]
        self.log = open(f"{self.folder}/log", "w")
        self.process = subprocess.Popen(
            [
                daemon,
                *("--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"),
                *("-H", f"unix://{socket_path}", "--pidfile", f"{self.folder}/pid"),
                *("--iptables=false", "--bridge=none", "--ip-forward=false"),
            ],
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
        )
        self.network = None
        try:
            wait_until(lambda: subprocess.run([*self.client, "version"], capture_output=True).returncode == 0)
        except RuntimeError:
            self.stop()
            raise Absent(f"dockerd does not start here, see {self.folder}/log")
        self.version = run(*self.client, "version", "--format", "{{.Server.Version}}").strip()

    def pull(self, image):
        return timed(*self.client, "pull", "--quiet", image)

    def save(self, image, path):
        return timed(*self.client, "save", "--output", path, image)

    def load(self, path):
        return timed(*self.client, "load", "--quiet", "--input", path)

    def push(self, image, to):
        run(*self.client, "tag", image, to)
        seconds = timed(*self.client, "push", "--quiet", to)
        run(*self.client, "rmi", to)
        return seconds

    def remove(self, image):
        return timed(*self.client, "rmi", image)

    def prepare(self, image):
        self.pull(image)
        self.image = image
        self.network = f"bench-{os.getpid()}"
        run(*self.client, "network", "create", "--opt", "com.docker.network.bridge.enable_ip_masquerade=false", self.network)

    def _run(self, *options):
        return [*self.client, "run", *options, self.image]

    def _remove(self, *names):
        run(*self.client, "rm", "--force", *names)

    def start_times(self, network, times):
        network = self.network if network == "bridge" else network
        command = [*self.client, "run", "--rm", "--network", network, self.image, "/bin/true"]
        return [timed(*command) for _ in range(times)]

    def sleeper(self):
        """Starts a container that sleeps; gives the pid of the process that looks after it."""
        name = run(*self.client, "run", "--detach", "--network", "none", self.image, "sleep", "1000").strip()
        pid = int(run(*self.client, "inspect", "--format", "{{.State.Pid}}", name))
        return parent_of(pid), lambda: run(*self.client, "rm", "--force", name)

    def stop(self):
        if self.network:
            subprocess.run([*self.client, "network", "rm", self.network], capture_output=True)
        self.process.terminate()
        self.process.wait()
        unmount_below(self.folder)


class Podman(Client):
    """Podman with a store of its own, and the limits that an ordinary virtual machine allows."""

    name = "podman"
    networks = ("none",)  # its bridge would change the machine's iptables

    def __init__(self, folder, generation=0):
        self.folder = f"{folder}/{generation}"
        os.makedirs(self.folder)
        stores = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run", "--tmpdir", f"{self.folder}/tmp"]
        self.client = [program("podman"), *stores, "--storage-driver", "overlay", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
        self.version = run(self.client[0], "--version").split()[-1]
        run(*self.client, "info")  # makes the store

    def pull(self, image):
        return timed(*self.client, "pull", "--quiet", "--tls-verify=false", image)

    def save(self, image, path):
        return timed(*self.client, "save", "--quiet", "--output", path, image)

    def load(self, path):
        return timed(*self.client, "load", "--quiet", "--input", path)

    def push(self, image, to):
        return timed(*self.client, "push", "--quiet", "--tls-verify=false", image, to)

    def remove(self, image):
        return timed(*self.client, "rmi", image)

    def prepare(self, image):
        self.pull(image)
        self.image = image

    def _run(self, *options):
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        return [*self.client, "run", *limits, *options, self.image]

    def _remove(self, *names):
        run(*self.client, "rm", "--force", "--time", "0", *names)

    def start_times(self, network, times):
        return [timed(*self._run("--rm", "--network", "none"), "/bin/true") for _ in range(times)]

    def sleeper(self):
        name = run(*self._run("--detach", "--network", "none"), "sleep", "1000").strip()
        pid = int(run(*self.client, "inspect", "--format", "{{.State.Pid}}", name))
        return parent_of(pid), lambda: run(*self.client, "rm", "--force", "--time", "0", name)

    def stop(self):
        unmount_below(self.folder)


class Skopeo:
    """Copies images between registries, archives and layouts; it unpacks nothing."""

    name = "skopeo"

    def __init__(self, folder, generation=0):
        self.folder = f"{folder}/{generation}"
        os.makedirs(self.folder)
        self.program = program("skopeo")
        self.version = run(self.program, "--version").split()[-1]
        self.layout = f"oci:{self.folder}/layout:1"

    def copy(self, source, target):
        without_tls = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        return timed(self.program, "--insecure-policy", "copy", "--quiet", *without_tls, source, target)

    def pull(self, image):
        return self.copy(f"docker://{image}", self.layout)

    def save(self, image, path):
        return self.copy(self.layout, f"docker-archive:{path}:{image}")

    def push(self, _, to):
        return self.copy(self.layout, f"docker://{to}")

    def remove(self, _):
        started = time.perf_counter()
        shutil.rmtree(f"{self.folder}/layout")
        return time.perf_counter() - started

    def load(self, path):
        return self.copy(f"docker-archive:{path}", self.layout)

    def stop(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Shanty:
    name = "shanty"
    networks = ("none", "bridge")

    def __init__(self, folder, binary, generation=0):
        self.binary = os.path.abspath(binary)
        self.root = f"{folder}/{generation}"
        self.environment = {**os.environ, "SHANTY_ROOT": self.root}
        self.version = run(self.binary, "--version").split()[-1]

    def eval(self, code):
        return json.loads(run(self.binary, "eval", "--json", code, env=self.environment))

    def pull(self, image):
        return self._timed(f'image("{image}").pull(); ()')

    def save(self, image, path):
        return self._timed(f'image("{image}").save("{path}"); ()')

    def load(self, path):
        return self._timed(f'load("{path}"); ()')

    def push(self, image, to):
        return self._timed(f'image("{image}").push(#{{ to: "{to}" }}); ()')

    def remove(self, image):
        return self._timed(f'image("{image}").remove(); ()')

    def _timed(self, code):
        """How long a whole command takes, seconds; `self.peak` is the most memory that it had to itself, MB."""
        seconds, self.peak = peak_memory([self.binary, "eval", code], self.environment)
        return seconds

    def prepare(self, image):
        self.pull(image)
        self.image = image

    def start_times(self, network, times):
        """Measured inside one script, as its author would see it."""
        script = [self.binary, "run", "--json", f"{HERE}/exec.rhai", self.image, network, str(times)]
        return json.loads(run(*script, env=self.environment))

    def sleeper(self):
        code = f'let c = image("{self.image}").run(["sleep", "1000"], #{{ network: "none" }}); [c.id, c.pid]'
        name, pid = self.eval(code)
        return parent_of(pid), lambda: self.eval(f'container("{name}").remove(#{{ force: true }}); ()')

    def sleeper_named(self):
        code = f'image("{self.image}").run(["sleep", "10000"], #{{ network: "none" }}).id'
        name = self.eval(code)
        return name, lambda: self.eval(f'container("{name}").remove(#{{ force: true }}); ()')

    def exec_times(self, name, times):
        """Measured inside one script, as its author would see it."""
        return json.loads(run(self.binary, "run", "--json", f"{HERE}/inside.rhai", name, str(times), env=self.environment))

    def start_many(self, count):
        script = [self.binary, "run", "--json", f"{HERE}/many.rhai", self.image, str(count)]
        found = json.loads(run(*script, env=self.environment))
        return found["seconds"], [parent_of(pid) for pid in found["pids"]]

    def remove_all(self):
        self.eval("par_map(containers(#{ all: true }), |c| { c.remove(#{ force: true }); () }); ()")

    def mark_as_exited(self):
        """Half of the containers have run, as far as the database knows: starting them all would take its time."""
        import sqlite3

        with sqlite3.connect(f"{self.root}/shanty.db") as database:
            database.execute("UPDATE containers SET status = 'exited', exit_code = 0, started = created, finished = created WHERE substr(id, 1, 1) < '8'")

    def print_file(self, path):
        # Everything is kept, so that what was lost can be counted.
        log = ', log: #{ max_size: "2g" }' if self.rotates() else ""
        code = f'let c = image("{self.image}").run(["cat", "/lines"], #{{ network: "none", volumes: ["{path}:/lines:ro"]{log} }}); [c.id, c.pid]'
        name, pid = self.eval(code)
        keeper = parent_of(pid) if pid else 0
        return (
            keeper,
            lambda: self.eval(f'container("{name}").wait()'),
            lambda: self._all_lines(name),
            lambda: self.eval(f'container("{name}").remove(#{{ force: true }}); ()'),
        )

    def rotates(self):
        return subprocess.run([self.binary, "eval", f'image("{self.image}").create(#{{ log: #{{ max_size: "2g" }} }}).remove()'], env=self.environment, capture_output=True).returncode == 0

    def _all_lines(self, name):
        """From the file itself: as text it would not fit into a script's memory."""
        with open(f"{self.root}/containers/{name}/container.log") as file:
            for line in file:
                yield json.loads(line)["log"]

    def copy(self, name, source, target, _):
        """Measured inside one script, as its author would see it."""
        here, there = (source, target.partition(":")[2]) if ":" in target else (source.partition(":")[2], target)
        verb = "copy_to" if ":" in target else "copy_from"
        return self.eval(f'let c = container("{name}"); let s = now(); c.{verb}("{here}", "{there}"); (now() - s).seconds')

    def left(self):
        """What containers have on the machine at this moment: mounts, control groups, links, folders."""
        with open("/proc/self/mounts") as file:
            found = [line.split()[1] for line in file if line.split()[1].startswith(self.root)]
        id8 = self.id8()
        for hierarchy in ["", *os.listdir("/sys/fs/cgroup")]:
            group = f"/sys/fs/cgroup/{hierarchy}/shanty/{id8}"
            found += folders(group)
        found += [link for link in os.listdir("/sys/class/net") if re.match(f"sh{id8}[^n]", link)]  # n: bridges
        found += folders(f"{self.root}/containers") + folders(f"/run/shanty/{id8}")
        return found

    def id8(self):
        import sqlite3

        with sqlite3.connect(f"{self.root}/shanty.db") as database:
            return database.execute("SELECT value FROM meta WHERE key = 'root_id'").fetchone()[0][:8]

    def stop(self):
        """Takes away what the root itself, not a container, has on the machine: bridge, table, control groups."""
        if not os.path.exists(f"{self.root}/shanty.db"):
            return
        id8 = self.id8()
        for link in os.listdir("/sys/class/net"):
            if link.startswith(f"sh{id8}"):
                subprocess.run(["ip", "link", "delete", link], capture_output=True)
        for family in ["ip", "inet"]:
            subprocess.run(["nft", "delete", "table", family, f"shanty-{id8}"], capture_output=True)
        for hierarchy in ["", *os.listdir("/sys/fs/cgroup")]:
            try:
                os.rmdir(f"/sys/fs/cgroup/{hierarchy}/shanty/{id8}")
            except OSError:
                pass  # this hierarchy has none
        unmount_below(self.root)
        unmount_below(f"/run/shanty/{id8}")
        shutil.rmtree(f"/run/shanty/{id8}", ignore_errors=True)


def folders(path):
    try:
        return [entry.path for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def unmount_below(folder):
    with open("/proc/self/mounts") as file:
        mounts = [line.split()[1] for line in file]
    for mount in reversed([mount for mount in mounts if mount.startswith(folder + "/")]):
        subprocess.run(["umount", "--lazy", mount], capture_output=True)
