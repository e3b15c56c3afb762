#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Caesura authors
# SPDX-License-Identifier: Apache-2.0
"""Two hosts with two ranks each, made of network namespaces and a slow link between them: the hierarchical cast must
send each row over the link once, the plain one sends it to both ranks behind it. Counted by the link's interfaces.

    network_test.py openmpi|mpich PROGRAM LAUNCHER...      PROGRAM: comm_network_cast; LAUNCHER: mpiexec and its options

Exit status 77: skipped, because this machine does not let us make namespaces; it says what failed."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROWS = 2048
ROW_BYTES = 1024
RANKS_PER_HOST = 2
LINK = "slow"  # the name of its interfaces
RATE = "400mbit"
SLACK = 1.1  # headers, acknowledgments, the barrier
SENT_LINES = 4  # two casts, two nodes
LIMIT = 20  # s
GRACE = 2  # s, for the launcher to end after its ranks
SKIPPED = 77

# A host also has its own name.
UNSHARE = "unshare --uts"

# The launcher calls it as it would ssh: options, host, command. The host is in a namespace of its own.
AGENT = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
export command="$*"
exec ip netns exec "@prefix@${host##*.}" @unshare@ sh -c 'hostname "'"caesura${host##*.}"'"; eval "$command"'
"""


class Skip(Exception):
    pass


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise Skip(f"{' '.join(command)}: {(result.stderr or result.stdout).strip()}")


class TwoHosts:
    """Namespaces PREFIX1 and PREFIX2 with addresses SUBNET.1 and SUBNET.2 on the interfaces LINK."""

    def __init__(self):
        identity = os.getpid()
        self.prefix = f"caesura{identity}-"
        self.subnet = f"10.{200 + identity % 50}.{identity // 50 % 250}"
        self.notes = []

    def __enter__(self):
        if not shutil.which("ip") or not shutil.which("unshare"):
            raise Skip("needs the programs ip (iproute2) and unshare (util-linux)")
        try:
            for host in "12":
                run("ip", "netns", "add", self.prefix + host)
            run("ip", "link", "add", "name", LINK, "netns", self.prefix + "1", "type", "veth", "peer", "name", LINK,
                "netns", self.prefix + "2")
            for host in "12":
                name = self.prefix + host
                run("ip", "-n", name, "address", "add", f"{self.subnet}.{host}/24", "dev", LINK)
                run("ip", "-n", name, "link", "set", "lo", "up")
                run("ip", "-n", name, "link", "set", LINK, "up")
                try:
                    run("tc", "-n", name, "qdisc", "add", "dev", LINK, "root", "tbf", "rate", RATE, "burst", "256kb",
                        "latency", "50ms")
                except (Skip, OSError) as reason:  # the count of bytes does not need it
                    self.notes = [f"the link is not slow: {reason}"]
            for host in "12":
                self.wait_for_carrier(self.prefix + host)
        except Skip:
            self.__exit__()
            raise
        return self

    @staticmethod
    def wait_for_carrier(name):
        """The kernel says a moment later that an interface is up, and libraries ignore those that are not."""
        for _ in range(100):
            shown = subprocess.run(["ip", "-n", name, "link", "show", LINK], capture_output=True, text=True).stdout
            if "state UP" in shown:
                return
            time.sleep(0.05)
        raise Skip(f"the link has no carrier: {shown}")

    def end_processes(self):
        for host in "12":
            inside = subprocess.run(["ip", "netns", "pids", self.prefix + host], capture_output=True, text=True).stdout
            for identity in inside.split():
                try:
                    os.kill(int(identity), signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def __exit__(self, *unused):
        self.end_processes()
        for host in "12":
            subprocess.run(["ip", "netns", "delete", self.prefix + host], capture_output=True)


def wait(process, is_done):
    """Its status. MPICH's launcher sometimes stays when all ranks have ended: what they printed counts."""
    limit = time.monotonic() + LIMIT
    while time.monotonic() < limit:
        done = is_done()
        try:
            return process.wait(timeout=GRACE if done else 0.1)
        except subprocess.TimeoutExpired:
            if done:
                return 0
    return f"none after {LIMIT} s"


def launch(hosts, family, program, launcher, folder):
    agent = os.path.join(folder, "agent")
    with open(agent, "w") as file:
        file.write(AGENT.replace("@prefix@", hosts.prefix).replace("@unshare@", UNSHARE))
    os.chmod(agent, 0o755)
    machines = ",".join(f"{hosts.subnet}.{host}:{RANKS_PER_HOST}" for host in "12")
    if family == "openmpi":
        options = ["--mca", "plm", "rsh", "--mca", "plm_rsh_agent", agent, "--mca", "btl", "tcp,self,vader",
                   "--mca", "pml", "ob1", "--mca", "btl_tcp_if_include", LINK, "--mca", "oob_tcp_if_include", LINK,
                   "--host", machines]
    else:
        options = ["-launcher", "ssh", "-launcher-exec", agent, "-iface", LINK, "-hosts", machines]
    environment = dict(os.environ, TMPDIR=folder, UCX_NET_DEVICES=LINK, UCX_TLS="tcp,self", OMP_NUM_THREADS="1", OMP_PROC_BIND="false",
                       OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    command = [*launcher, *options, "-n", str(2 * RANKS_PER_HOST), program, LINK, str(ROWS), str(ROW_BYTES)]
    inside = ["ip", "netns", "exec", hosts.prefix + "1", *UNSHARE.split(), "sh", "-c", 'hostname caesura1; exec "$@"',
              "sh", *command]
    output, errors = pathlib.Path(folder, "output"), pathlib.Path(folder, "errors")
    with output.open("w") as to, errors.open("w") as errors_to:
        process = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=to, stderr=errors_to, env=environment)
        status = wait(process, lambda: output.read_text().count(" sent ") == SENT_LINES)
        hosts.end_processes()
        process.kill()
        process.wait()
    printed = output.read_text()
    print(printed, end="")
    if status != 0:
        sys.exit(f"status {status}:\n{errors.read_text()}")
    return printed


def check(printed):
    """What is wrong with the counts."""
    if "nodes: 2, regular: yes" not in printed:
        yield "the ranks must see two nodes"
    sent = {(name, int(node)): int(count)
            for name, node, count in re.findall(r"(\w+): node (\d) sent (-?\d+) bytes", printed)}
    rows = ROWS * ROW_BYTES * RANKS_PER_HOST  # of the ranks of a host
    for name, times in (("plain", RANKS_PER_HOST), ("hierarchical", 1)):
        for node in (0, 1):
            count = sent.get((name, node), -1)
            print(f"{name}: node {node}: each row went over the link {count / rows:.3f} times")
            if not times * rows <= count <= SLACK * times * rows:
                yield f"{name}: node {node}: {count} bytes, {times * rows} were expected"


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ("openmpi", "mpich"):
        sys.exit(__doc__)
    family, program, *launcher = sys.argv[1:]
    try:
        with TwoHosts() as hosts, tempfile.TemporaryDirectory() as folder:
            for note in hosts.notes:
                print("note:", note)
            wrong = list(check(launch(hosts, family, os.path.abspath(program), launcher, folder)))
    except Skip as reason:
        print("SKIPPED:", reason)
        sys.exit(SKIPPED)
    for line in wrong:
        print("FAILED:", line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
