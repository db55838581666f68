/** Network namespaces and cgroups as fds. A namespace made here ends with the last fd, device reference and thread in it. */
import { cString } from "../../abi/cstring.ts";
import { BpfError, ENOENT } from "../../abi/errno.ts";
import type { Fd } from "../../kernel/bpf.ts";
import type { LinuxBpf } from "./linux_bpf.ts";
import { mountPoints } from "./mounts.ts";

const CLONE_NEWNET = 0x40000000;
const O_CLOEXEC = 0o2000000;
const O_DIRECTORY = 0o200000;
const AT_FDCWD = -100;
const THREAD_NETNS = "/proc/thread-self/ns/net";

/** Opens a file or directory for its fd alone: a cgroup, a namespace. */
export function openPath(bpf: LinuxBpf, path: string, directory = false): Fd {
  const name = cString(path);
  const { sys } = bpf;
  sys.keep = [name];
  const flags = O_CLOEXEC | (directory ? O_DIRECTORY : 0);
  return bpf.own(sys.must(`'${path}'`, "openat", AT_FDCWD, sys.addressOf(name), flags, 0));
}

/** An empty network namespace. The calling thread stays in its own. */
export function newNetns(bpf: LinuxBpf): Fd {
  const home = openPath(bpf, THREAD_NETNS);
  try {
    bpf.sys.must("network namespace", "unshare", CLONE_NEWNET);
    try {
      return openPath(bpf, THREAD_NETNS);
    } finally {
      bpf.sys.must("network namespace", "setns", home, CLONE_NEWNET);
    }
  } finally {
    bpf.close(home);
  }
}

/** Calls the body with this thread in the namespace; the body must not wait. */
export function inNetns<T>(bpf: LinuxBpf, netns: Fd, body: () => T): T {
  const home = openPath(bpf, THREAD_NETNS);
  try {
    bpf.sys.must("network namespace", "setns", netns, CLONE_NEWNET);
    try {
      return body();
    } finally {
      bpf.sys.must("network namespace", "setns", home, CLONE_NEWNET);
    }
  } finally {
    bpf.close(home);
  }
}

/** Where cgroup v2 is mounted. @throws ENOENT */
export function cgroupRoot(): string {
  const [found] = mountPoints("cgroup2");
  if (found === undefined) throw new BpfError(ENOENT, "no cgroup v2 is mounted");
  return found;
}
