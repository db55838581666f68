/**
 * What mount options of a bpffs delegate: calls of bpf(2) as bytes by a process that has every capability in a user
 * namespace of its own and none in the first. On Linux the same calls are made by test/support/linux_token.py.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BTF, insnsOf, PASS } from "../../../conformance/raw/world.ts";
import { BTF_LOAD, GET_ID, MAP_CREATE, PROG_LOAD, TOKEN_CREATE } from "../../../src/abi/attr.ts";
import * as abi from "../../../src/abi/bpf.ts";
import { cString } from "../../../src/abi/cstring.ts";
import { errnoName } from "../../../src/abi/errno.ts";
import type { Members, Struct } from "../../../src/abi/struct.ts";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import type { Fd } from "../../../src/kernel/bpf.ts";
import { parseOptions } from "../../../src/kernel/bpffs/options.ts";
import { UserBuffers } from "../../../src/kernel/syscall/user_memory.ts";
import { UserNs } from "../../../src/kernel/userns.ts";
import { ALL_CAPS } from "../../../src/verifier/platform.ts";
import { withKernel } from "../../support/kernel.ts";
import { whyNotLinux } from "../../support/kernels.ts";

/** A call; members that are text or bytes are an fd by name, or what a pointer leads to. */
interface Step {
  readonly cmd: number;
  readonly attr: string;
  readonly patch: Readonly<Record<number, string>>;
  readonly keep?: "token";
}

function step<M extends Members>(
  cmd: number,
  layout: Struct<M>,
  members: { readonly [K in keyof M]?: number | string | Uint8Array },
  more: Partial<Step> = {},
): Step {
  const attr = new Uint8Array(layout.size);
  const patch: Record<number, string> = {};
  for (const [name, value] of Object.entries(members)) {
    if (typeof value === "number") layout.put(attr, { addressOf: () => 0 }, { [name]: value } as never);
    else patch[layout.offsetOf(name)] = typeof value === "string" ? value : toHex(value as Uint8Array);
  }
  return { cmd, attr: toHex(attr), patch, ...more };
}

const TOKEN = step(abi.BPF_TOKEN_CREATE, TOKEN_CREATE, { bpffs_fd: "root" }, { keep: "token" });

type Call = (token: boolean) => Step;

const map =
  (map_type: number): Call =>
  (token) =>
    step(abi.BPF_MAP_CREATE, MAP_CREATE, {
      ...{ map_type, key_size: 4, value_size: 4, max_entries: 4 },
      ...(token ? { map_flags: abi.BPF_F_TOKEN_FD, map_token_fd: "token" } : {}),
    });

const prog =
  (prog_type: number, insns: Uint8Array, more: { expected_attach_type?: number } = {}): Call =>
  (token) =>
    step(abi.BPF_PROG_LOAD, PROG_LOAD, {
      ...{ prog_type, insn_cnt: insns.length / 8, insns, license: cString("GPL"), ...more },
      ...(token ? { prog_flags: abi.BPF_F_TOKEN_FD, prog_token_fd: "token" } : {}),
    });

const btf: Call = (token) =>
  step(abi.BPF_BTF_LOAD, BTF_LOAD, {
    ...{ btf: BTF, btf_size: BTF.length },
    ...(token ? { btf_flags: abi.BPF_F_TOKEN_FD, btf_token_fd: "token" } : {}),
  });

const btfById: Call = (token) =>
  step(abi.BPF_BTF_GET_FD_BY_ID, GET_ID, {
    start_id: 1,
    ...(token ? { open_flags: abi.BPF_F_TOKEN_FD, fd_by_id_token_fd: "token" } : {}),
  });

const hash = map(abi.BPF_MAP_TYPE_HASH);
const lru = map(abi.BPF_MAP_TYPE_LRU_HASH);
const devmap = map(abi.BPF_MAP_TYPE_DEVMAP);
const xdp = prog(abi.BPF_PROG_TYPE_XDP, PASS);
const cls = prog(abi.BPF_PROG_TYPE_SCHED_CLS, PASS);
const kprobe = prog(abi.BPF_PROG_TYPE_KPROBE, PASS);
const filter = prog(abi.BPF_PROG_TYPE_SOCKET_FILTER, PASS);
/** Returns a pointer: only with CAP_PERFMON. */
const leak = prog(abi.BPF_PROG_TYPE_SOCKET_FILTER, insnsOf("r0 = r10\nexit"));
const connect = prog(abi.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, insnsOf("r0 = 1\nexit"), {
  expected_attach_type: abi.BPF_CGROUP_INET4_CONNECT,
});

const ALL = "delegate_cmds=any,delegate_maps=any,delegate_progs=any,delegate_attachs=any";
const LOADS = "delegate_cmds=prog_load";

/** Mount options, what is done, errno with a token ("": done). */
const DELEGATED: readonly [options: string, what: string, call: Call, errno: string][] = [
  [ALL, "a hash", hash, ""],
  [ALL, "an LRU hash", lru, ""],
  [ALL, "a devmap", devmap, ""],
  [ALL, "an XDP program", xdp, ""],
  [ALL, "a kprobe program", kprobe, ""],
  [ALL, "a socket filter", filter, ""],
  [ALL, "a socket filter that gives a pointer away", leak, ""],
  [ALL, "a BTF", btf, ""],
  [ALL, "a BTF by id", btfById, ""],
  ["delegate_cmds=map_create,delegate_maps=hash", "a hash", hash, ""],
  ["delegate_cmds=map_create,delegate_maps=hash", "an LRU hash", lru, "EPERM"],
  ["delegate_cmds=map_create", "a hash", hash, "EPERM"],
  ["delegate_cmds=prog_load,delegate_maps=any", "a hash", hash, "EPERM"],
  ["delegate_cmds=0x1,delegate_maps=0x2", "a hash", hash, ""],
  [`${LOADS},delegate_progs=xdp,delegate_attachs=any`, "an XDP program", xdp, ""],
  [`${LOADS},delegate_progs=xdp,delegate_attachs=any`, "a tc program", cls, "EPERM"],
  [`${LOADS},delegate_progs=xdp`, "an XDP program", xdp, "EPERM"],
  [`${LOADS},delegate_progs=xdp,delegate_attachs=cgroup_inet_ingress`, "an XDP program", xdp, ""],
  [`${LOADS},delegate_progs=any,delegate_attachs=xdp`, "an XDP program", xdp, "EPERM"],
  [`${LOADS},delegate_progs=any,delegate_attachs=cgroup_inet4_connect`, "a connect program", connect, ""],
  [`${LOADS},delegate_progs=any,delegate_attachs=cgroup_inet6_connect`, "a connect program", connect, "EPERM"],
  ["delegate_cmds=btf_load", "a BTF", btf, ""],
  ["delegate_cmds=map_create", "a BTF", btf, "EPERM"],
  ["delegate_cmds=btf_get_fd_by_id", "a BTF by id", btfById, ""],
  ["delegate_cmds=btf_load", "a BTF by id", btfById, "EPERM"],
];

const token = (bpffs_fd: string, more: { flags?: number } = {}): Step =>
  step(abi.BPF_TOKEN_CREATE, TOKEN_CREATE, { bpffs_fd, ...more });

interface Scenario {
  readonly name: string;
  readonly options: string;
  readonly steps: readonly Step[];
  readonly errnos: readonly string[];
}

const SCENARIOS: readonly Scenario[] = [
  ...DELEGATED.map(([options, what, call, errno]) => ({
    name: `${what} with ${options}: ${errno || "done"}; without a token EPERM`,
    options,
    steps: [call(false), TOKEN, call(true)],
    errnos: ["EPERM", "", errno],
  })),
  { name: "a token on a directory: EINVAL", options: ALL, steps: [token("dir")], errnos: ["EINVAL"] },
  { name: "a token by O_PATH: EBADF", options: ALL, steps: [token("path")], errnos: ["EBADF"] },
  { name: "a token on another file system: EINVAL", options: ALL, steps: [token("slash")], errnos: ["EINVAL"] },
  { name: "a token with flags: EINVAL", options: ALL, steps: [token("root", { flags: 1 })], errnos: ["EINVAL"] },
  { name: "a token where nothing is delegated: ENOENT", options: "", steps: [TOKEN], errnos: ["ENOENT"] },
];

function onSkep({ options, steps }: Scenario): string[] {
  const errnos: string[] = [];
  withKernel(
    (kernel, root) => {
      // On Linux the BTF of the kernel has id 1.
      root.btfLoad(BTF);
      const userns = new UserNs(kernel.initUserns, 1000);
      const mountns = kernel.newMountns(undefined, userns);
      kernel.spawn({ mountns }).fs.mkdir("/bpf");
      const user = kernel.spawn({ caps: ALL_CAPS, uid: 1000, gid: 1000, userns, mountns });
      root.fs.mountFor(user, "/bpf", parseOptions(options));
      user.fs.mkdir("/bpf/dir");
      const fds: Record<string, Fd> = {
        root: user.fs.open("/bpf"),
        dir: user.fs.open("/bpf/dir"),
        path: user.fs.open("/bpf", { path: true }),
        slash: user.fs.open("/"),
      };
      for (const { cmd, attr, patch, keep } of steps) {
        const bytes = new Uint8Array(256);
        bytes.set(fromHex(attr));
        const mem = new UserBuffers();
        const view = new DataView(bytes.buffer);
        for (const [off, what] of Object.entries(patch)) {
          const fd = fds[what];
          if (fd !== undefined) view.setInt32(Number(off), fd, true);
          else view.setBigUint64(Number(off), BigInt(mem.addressOf(fromHex(what))), true);
        }
        const ret = user.sysBpf(cmd, bytes, attr.length / 2, mem);
        errnos.push(ret < 0 ? errnoName(-ret) : "");
        if (ret >= 0 && keep) fds[keep] = ret as Fd;
      }
    },
    { unprivilegedBpfDisabled: 2 },
  );
  return errnos;
}

/** All scenarios at once, each in a process of its own; or why not. */
function onLinux(): string[][] | string {
  if (whyNotLinux) return whyNotLinux;
  if (readFileSync("/proc/sys/kernel/unprivileged_bpf_disabled", "utf8").trim() === "0") {
    return "kernel.unprivileged_bpf_disabled is 0; 1 or 2 is wanted";
  }
  const cases = SCENARIOS.map(({ options, steps }) => ({
    mount: Object.fromEntries(
      options
        .split(",")
        .filter(Boolean)
        .map((o) => o.split("=")),
    ),
    steps,
  }));
  const script = new URL("../../support/linux_token.py", import.meta.url).pathname;
  const run = spawnSync("python3", [script], { input: JSON.stringify(cases), encoding: "utf8" });
  if (run.error || run.status !== 0) return `no process in a user namespace: ${run.error?.message ?? run.stderr}`;
  return (JSON.parse(run.stdout) as (number[] | string)[]).map((errnos) =>
    typeof errnos === "string" ? [errnos] : errnos.map((e) => (e ? errnoName(e) : "")),
  );
}

const theirs = onLinux();
if (typeof theirs === "string") console.log(`delegation on Linux is skipped: ${theirs}`);

describe("delegation", () => {
  for (const [n, scenario] of SCENARIOS.entries()) {
    it(`${scenario.name} (skep)`, () => expect(onSkep(scenario)).toEqual(scenario.errnos));
    it.skipIf(typeof theirs === "string")(`${scenario.name} (Linux)`, () => expect(theirs[n]).toEqual(scenario.errnos));
  }
});
