"""Networks and backups beside Docker's and tar's, all of it in a network namespace of its own: Docker changes iptables."""

import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import time

from engines import Absent, program, run, unmount_below, wait_until

# An address of the host that is not loopback: over that one, Docker has a proxy.
HOST = "192.0.2.1"
SECONDS = 3
QUESTIONS = 2000
SERVER = "require('http').createServer((q, s) => s.end('hello')).listen(80)"


class Namespace:
    """A network namespace with loopback and one address."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        path = f"/proc/{self.process.pid}/ns/net"
        wait_until(lambda: os.readlink(path) != os.readlink("/proc/self/ns/net"))
        self.enter = ["nsenter", f"--net={path}"]
        run(*self.enter, "sh", "-ec", f"ip link set lo up; ip link add up0 type veth peer name up1; ip link set up1 up; ip link set up0 up; ip address add {HOST}/24 dev up0; ip route add default dev up0")

    def stop(self):
        self.process.kill()
        self.process.wait()


class DockerThere:
    name = "docker"

    def __init__(self, folder, namespace):
        self.folder = folder
        os.makedirs(folder)
        self.client = [program("docker"), "-H", f"unix://{folder}/docker.sock"]
        self.log = open(f"{folder}/log", "w")
        directories = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        self.process = subprocess.Popen(
            [*namespace.enter, program("dockerd"), *directories, "-H", f"unix://{folder}/docker.sock"],
            stdout=self.log, stderr=self.log, env={**os.environ, "PATH": path},
        )
        try:
            wait_until(lambda: subprocess.run([*self.client, "version"], capture_output=True).returncode == 0)
        except RuntimeError:
            self.stop()
            raise Absent(f"dockerd does not start here, see {folder}/log")
        self.version = run(*self.client, "version", "--format", "{{.Server.Version}}").strip()
        run(*self.client, "network", "create", "front")

    def load(self, archive):
        run(*self.client, "load", "--quiet", "--input", archive)

    def start(self, name, image, port, command):
        published = ["--publish", f"{port}:{port if image == 'tools' else 80}"] if port else []
        run(*self.client, "run", "--detach", "--name", name, "--network", "front", *published, image, *command)

    def pid(self, name):
        return int(run(*self.client, "inspect", "--format", "{{.State.Pid}}", name))

    def address(self, name):
        return run(*self.client, "inspect", "--format", "{{.NetworkSettings.Networks.front.IPAddress}}", name).strip()

    def stop(self):
        names = subprocess.run([*self.client, "ps", "--all", "--quiet"], capture_output=True, text=True).stdout.split()
        subprocess.run([*self.client, "rm", "--force", *names], capture_output=True)
        self.process.terminate()
        self.process.wait()
        unmount_below(self.folder)


class ShantyThere:
    name = "shanty"

    def __init__(self, engine, namespace):
        self.engine, self.enter = engine, namespace.enter
        self.version = engine.version
        self.eval('create_network("front")')

    def eval(self, code):
        command = [*self.enter, self.engine.binary, "eval", "--json", code]
        return json.loads(run(*command, env=self.engine.environment))

    def load(self, archive):
        self.eval(f'load("{archive}"); 1')

    def start(self, name, image, port, command):
        inside = port if image == "tools" else 80
        published = f'ports: ["{port}:{inside}"], ' if port else ""
        self.eval(f'image("{image}").run({json.dumps(command)}, #{{ {published} name: "{name}", network: "front" }}); 1')

    def pid(self, name):
        return self.eval(f'container("{name}").pid')

    def address(self, name):
        return self.eval(f'container("{name}").networks.front.ip')

    def stop(self):
        self.eval("for c in containers(#{ all: true }) { c.remove(#{ force: true }) } prune_networks(); 1")


class Networks:
    """Benches of the class that measures."""

    def network(self):
        """TCP throughput, requests and look-ups; the engines one after the other, since both have containers that listen."""
        if not self.options.shanty:
            return
        namespace = self.keep(Namespace())
        engines = self.engines_there(namespace)
        figures = {}
        for engine in engines:
            engine.start("server", "tools", 5201, ["iperf3", "--server"])
            engine.start("client", "tools", None, ["iperf3", "--server"])
            engine.start("web", "node:18", 8080, ["node", "-e", SERVER])
            wait_until(lambda: answers(namespace, 8080))
            for _ in range(self.options.rounds):
                note = lambda what, value: figures.setdefault(what, {}).setdefault(engine.name, []).append(value)
                note("TCP, host to container over a published port", throughput([*namespace.enter], HOST))
                there = ["nsenter", f"--net=/proc/{engine.pid('client')}/ns/net"]
                note("TCP, container to container", throughput(there, engine.address("server")))
                note("HTTP requests behind a published port", requests(namespace, 8080))
                note("look-up of a container's name, median", look_up(there, "server"))
            engine.stop()
            if engine.name == "docker":
                self.running.remove(engine)
        for what, values in figures.items():
            unit = "GB/s" if what.startswith("TCP") else "1/s" if what.startswith("HTTP") else "ms"
            rows = {name: self.row(what, name, measured, unit) for name, measured in values.items()}
            if unit == "ms":
                rows["shanty"].at_most(0.3)
            elif "docker" in rows:
                rows["shanty"].as_much_as(rows["docker"], 0.9 if unit == "GB/s" else 1.0)

    def engines_there(self, namespace):
        shanty = ShantyThere(self.fresh("network"), namespace)
        archive = f"{self.folder}/network.tar"
        tools = 'from("scratch").host_program("iperf3").write("/tmp/is-there", "").tag("tools"); '
        shanty.eval(tools + f'load("{self.options.fixtures}/node")[0].tag("node:18"); 1')
        shanty.eval(f'image("tools").save("{archive}.tools"); image("node:18").save("{archive}.node"); 1')
        # Whatever is left of it goes with its root.
        engines = []
        try:
            docker = self.keep(DockerThere(f"{self.folder}/docker-network", namespace))
            self.versions["docker"] = docker.version
            for part in ["tools", "node"]:
                docker.load(f"{archive}.{part}")
            engines.append(docker)
        except Absent as why:
            self.notes.append(f"docker was skipped: {why}")
        return [*engines, shanty]

    def connect(self):
        """What a network adds to a container, and whether it stays so with 250 of them."""
        engine = self.fresh("connect")
        if engine is None:
            return
        here = os.path.dirname(os.path.abspath(__file__))
        times = json.loads(run(engine.binary, "run", "--json", f"{here}/connect.rhai", engine.image, env=engine.environment))
        alone, named, bridge = (statistics.median(times[key]) for key in ["none", "named", "bridge"])
        self.row("start and end of `/bin/true`, network none", "shanty", times["none"], "ms")
        self.row("the same, a named network adds", "shanty", [named - alone], "ms").at_most(8)
        self.row("the same, the default network adds", "shanty", [bridge - alone], "ms")
        many = times["many"]
        first, last = statistics.median(many[:50]), statistics.median(many[-50:])
        self.row("start of the first 50 of 250 in one network, median", "shanty", many[:50], "ms")
        self.row("start of the last 50 of 250 in one network, median", "shanty", many[-50:], "ms").at_most(round(first * 1.2, 1))

    def backup(self):
        """1 GB in 10,000 files, beside tar piped into zstd."""
        engine = self.fresh("backup")
        if engine is None:
            return
        there = json.loads(run(engine.binary, "eval", "--json", 'create_volume("data").path', env=engine.environment))
        fill(there)
        times = {"shanty": [], "tar and zstd": []}
        for number in range(self.options.rounds):
            os.sync()
            started = time.perf_counter()
            run(engine.binary, "eval", f'volume("data").backup("{self.folder}/b{number}.tar.zst")', env=engine.environment)
            times["shanty"].append(time.perf_counter() - started)
            os.sync()
            started = time.perf_counter()
            run("sh", "-c", f'tar -C "{there}" -c . | zstd -q -o "{self.folder}/t{number}.tar.zst" && sync "{self.folder}/t{number}.tar.zst"')
            times["tar and zstd"].append(time.perf_counter() - started)
        rows = {name: self.row("backup of 1 GB in 10,000 files", name, values, "s") for name, values in times.items()}
        rows["shanty"].at_most(round(statistics.median(times["tar and zstd"]) * 1.2, 2))


def fill(folder):
    """Bytes of which a half can be compressed away, as of most data."""
    for number in range(10_000):
        if number % 100 == 0:
            os.makedirs(f"{folder}/{number // 100}")
        with open(f"{folder}/{number // 100}/{number}", "wb") as file:
            file.write(os.urandom(50_000) + bytes(50_000))


def answers(namespace, port):
    code = f"import urllib.request; urllib.request.urlopen('http://{HOST}:{port}', timeout=1)"
    return subprocess.run([*namespace.enter, sys.executable, "-c", code], capture_output=True).returncode == 0


def throughput(enter, address):
    """GB a second."""
    result = json.loads(run(*enter, program("iperf3"), "--client", address, "--time", str(SECONDS), "--json"))
    if "error" in result:
        raise RuntimeError(f"iperf3: {result['error']}")
    return result["end"]["sum_received"]["bits_per_second"] / 8e9


def requests(namespace, port):
    text = run(*namespace.enter, program("wrk"), "-t1", "-c16", f"-d{SECONDS}", f"http://{HOST}:{port}/")
    return float(next(line for line in text.splitlines() if line.startswith("Requests/sec")).split()[1])


def look_up(enter, name):
    """Milliseconds, as the program in the container sees them."""
    return float(run(*enter, sys.executable, os.path.abspath(__file__), name))


def ask(name):
    question = b"".join(bytes([len(part)]) + part for part in name.encode().split(b".")) + b"\0\0\1\0\1"
    times = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.11", 53))
        for number in range(QUESTIONS):
            started = time.perf_counter()
            client.send(struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + question)
            answer = client.recv(512)
            times.append((time.perf_counter() - started) * 1000)
            assert struct.unpack(">HHHH", answer[:8])[3] == 1, "no answer"
    print(statistics.median(times))


if __name__ == "__main__":
    ask(sys.argv[1])
