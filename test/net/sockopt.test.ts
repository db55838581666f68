/**
 * getsockopt() and setsockopt() of a UDP socket, alone and through programs of its cgroup, on skep and on the running
 * Linux. On Linux a child in the cgroup makes the calls.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import type { NetKernel } from "../../src/net/create.ts";
import { SocketView } from "../../src/net/socket/view.ts";
import { cgroupRoot, inNetns, type LinuxBpf, newNetns } from "../../src/node/linux/index.ts";
import { AttachScene } from "../support/attach_scene.ts";
import { outcome } from "../support/bpffs.ts";
import { load, withKernel } from "../support/kernel.ts";
import { onKernels } from "../support/kernels.ts";

const SOL_SOCKET = 1;
const [SOL_IP, TOS, TTL] = [0, 1, 2];
const [REUSEADDR, TYPE, SNDBUF, RCVBUF, PRIORITY] = [2, 3, 7, 8, 12];
/** No kernel has it: programs do. */
const OWN = 0xdeadbeef | 0;

/** A value in hexadecimal, "" when a set went well, or an errno. */
type Call =
  | readonly ["set", level: number, optname: number, value: string]
  | readonly ["get", level: number, optname: number, optlen: number];

const int = (n: number) => Buffer.from(Int32Array.of(n).buffer).toString("hex");
const setInt = (optname: number, n: number, level = SOL_SOCKET): Call => ["set", level, optname, int(n)];
const getInt = (optname: number, level = SOL_SOCKET, optlen = 4): Call => ["get", level, optname, optlen];

const SCRIPT = `
import errno, json, os, socket, sys
cgroup, calls = json.load(sys.stdin)
with open(cgroup, "w") as f: f.write(str(os.getpid()))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out = []
for what, level, name, arg in calls:
    try:
        if what == "set":
            s.setsockopt(level, name, bytes.fromhex(arg)); out.append("")
        else: out.append(s.getsockopt(level, name, arg).hex())
    except OSError as e: out.append("EOPNOTSUPP" if e.errno == 95 else errno.errorcode[e.errno])
print(json.dumps(out))
`;

const noPython = spawnSync("python3", ["-c", ""]).error ? "no python3" : undefined;

function callAll(bpf: Bpf, scene: AttachScene, calls: readonly Call[]): string[] {
  if (!(bpf instanceof Process)) {
    const input = JSON.stringify([join(cgroupRoot(), scene.path(""), "cgroup.procs"), calls]);
    const netns = newNetns(bpf as LinuxBpf);
    const run = () => execFileSync("python3", ["-c", SCRIPT], { input, encoding: "utf8" });
    return JSON.parse(inNetns(bpf as LinuxBpf, netns, run)) as string[];
  }
  const kernel = bpf.kernel as NetKernel;
  const proc = kernel.spawn({ cgroup: kernel.cgroups.byPath(scene.path(""))! });
  const sock = new SocketView(kernel, proc);
  const fd = sock.socket("udp4");
  const results = calls.map(([what, level, name, arg]) =>
    outcome(() => {
      if (what === "get") return Buffer.from(sock.getsockopt(fd, level, name, arg)).toString("hex");
      sock.setsockopt(fd, level, name, Uint8Array.from(Buffer.from(arg, "hex")));
      return "";
    }),
  );
  proc.exit();
  return results as string[];
}

interface Row {
  readonly what: string;
  /** Programs of the cgroup; r6 is the context, ready to be used. */
  readonly set?: string;
  readonly get?: string;
  readonly steps: readonly (readonly [call: Call, gives: string])[];
}

/** Calls body with r2 = optval, when it has room for n bytes, else says no. */
const withValue = (bytes: number, body: string) => `
  r2 = *(u64 *)(r6 + 8)
  r3 = *(u64 *)(r6 + 16)
  r4 = r2
  r4 += ${bytes}
  if r4 > r3 goto no
  ${body}
  r0 = 1
  exit
no:
  r0 = 0
  exit`;
const only = (optname: number, body: string) => `
  r1 = *(u32 *)(r6 + 28)
  if r1 != ${optname} goto other
  ${body}
other:
  r0 = 1
  exit`;
const NO = "r0 = 0\nexit";
const YES = "r0 = 1\nexit";
const optlen = (n: number) => `r1 = ${n}\n*(u32 *)(r6 + 32) = r1`;
const retval = (n: number) => `r1 = ${n}\n*(u32 *)(r6 + 36) = r1`;

const ROWS: readonly Row[] = [
  {
    what: "no programs",
    steps: [
      [getInt(TYPE), int(2)],
      [getInt(38), int(17)],
      [getInt(39), int(2)],
      [getInt(4), int(0)],
      [setInt(TYPE, 1), "ENOPROTOOPT"],
      [setInt(REUSEADDR, 7), ""],
      [getInt(REUSEADDR), int(1)],
      [["set", SOL_SOCKET, REUSEADDR, "01"], "EINVAL"],
      [getInt(REUSEADDR, SOL_SOCKET, 2), "0100"],
      [setInt(RCVBUF, 1), ""],
      [getInt(RCVBUF), int(2304)],
      [setInt(SNDBUF, 1), ""],
      [getInt(SNDBUF), int(4608)],
      [setInt(RCVBUF, 5000), ""],
      [getInt(RCVBUF), int(10_000)],
      [setInt(PRIORITY, 6), ""],
      [getInt(PRIORITY), int(6)],
      [getInt(TTL, SOL_IP), int(64)],
      [setInt(TTL, 0, SOL_IP), "EINVAL"],
      [setInt(TTL, 256, SOL_IP), "EINVAL"],
      [setInt(TTL, 9, SOL_IP), ""],
      [getInt(TTL, SOL_IP), int(9)],
      [getInt(TTL, SOL_IP, 1), "09"],
      [["set", SOL_IP, TOS, "10"], ""],
      [getInt(TOS, SOL_IP), int(16)],
      [["set", SOL_IP, TOS, ""], ""],
      [getInt(TOS, SOL_IP), int(0)],
      [getInt(9999), "ENOPROTOOPT"],
      [setInt(9999, 1), "ENOPROTOOPT"],
      [getInt(9999, SOL_IP), "ENOPROTOOPT"],
      [setInt(9999, 1, SOL_IP), "ENOPROTOOPT"],
      [getInt(1, OWN), "EOPNOTSUPP"],
      [setInt(1, 1, OWN), "ENOPROTOOPT"],
    ],
  },
  {
    what: "all is allowed",
    set: YES,
    get: YES,
    steps: [
      [setInt(PRIORITY, 3), ""],
      [getInt(PRIORITY), int(3)],
      [setInt(9999, 1), "ENOPROTOOPT"],
      [getInt(9999), "ENOPROTOOPT"],
    ],
  },
  {
    what: "nothing is allowed, also what the kernel does not have",
    set: NO,
    get: NO,
    steps: [
      [setInt(PRIORITY, 3), "EPERM"],
      [getInt(PRIORITY), "EPERM"],
      [setInt(9999, 3), "EPERM"],
      [getInt(9999), "ENOPROTOOPT"],
    ],
  },
  {
    what: "with an errno of the program",
    set: "r1 = -2\ncall set_retval\nr0 = 0\nexit",
    get: "r1 = -5\ncall set_retval\nr0 = 1\nexit",
    steps: [
      [setInt(PRIORITY, 3), "ENOENT"],
      [getInt(PRIORITY), "EIO"],
    ],
  },
  {
    what: "set: another value",
    set: withValue(4, "r1 = 5\n*(u32 *)(r2 + 0) = r1"),
    steps: [
      [setInt(PRIORITY, 3), ""],
      [getInt(PRIORITY), int(5)],
      [["set", SOL_SOCKET, PRIORITY, "03"], "EINVAL"],
    ],
  },
  {
    what: "set: another option",
    set: only(PRIORITY, `r1 = ${REUSEADDR}\n*(u32 *)(r6 + 28) = r1`),
    steps: [
      [setInt(PRIORITY, 3), ""],
      [getInt(PRIORITY), int(0)],
      [getInt(REUSEADDR), int(1)],
    ],
  },
  {
    what: "set: another level",
    set: only(TTL, `r1 = ${SOL_IP}\n*(u32 *)(r6 + 24) = r1`),
    steps: [
      [setInt(TTL, 30, OWN), ""],
      [getInt(TTL, SOL_IP), int(30)],
    ],
  },
  {
    what: "set: the program has dealt with it",
    set: `${optlen(-1)}\n${YES}`,
    steps: [
      [setInt(PRIORITY, 3), ""],
      [getInt(PRIORITY), int(0)],
      [setInt(1, 1, OWN), ""],
    ],
  },
  {
    what: "set: a longer value, as far as there is room",
    set: `${optlen(16)}\n${YES}`,
    steps: [
      [["set", SOL_SOCKET, PRIORITY, "03"], ""],
      [getInt(PRIORITY), int(3)],
    ],
  },
  {
    what: "set: a value that has no room",
    set: `${optlen(17)}\n${YES}`,
    steps: [
      [setInt(PRIORITY, 3), "EFAULT"],
      [["set", SOL_SOCKET, PRIORITY, "03".padEnd(34, "0")], ""],
      [getInt(PRIORITY), int(3)],
    ],
  },
  { what: "set: a length below -1", set: `${optlen(-2)}\n${YES}`, steps: [[setInt(PRIORITY, 3), "EFAULT"]] },
  {
    what: "set: length 0 leaves the value",
    set: withValue(4, `r1 = 5\n*(u32 *)(r2 + 0) = r1\n${optlen(0)}`),
    steps: [
      [setInt(PRIORITY, 3), ""],
      [getInt(PRIORITY), int(3)],
    ],
  },
  {
    what: "set: more than a page, of which the program sees the first",
    set: YES,
    steps: [
      [["set", SOL_SOCKET, PRIORITY, "03000000".padEnd(2 * 5000, "0")], ""],
      [getInt(PRIORITY), int(3)],
    ],
  },
  {
    what: "set: more than a page, told not to look",
    set: `${optlen(0)}\n${YES}`,
    steps: [
      [["set", SOL_SOCKET, PRIORITY, "03000000".padEnd(2 * 5000, "0")], ""],
      [getInt(PRIORITY), int(3)],
    ],
  },
  {
    what: "get: another value",
    get: withValue(4, "r1 = 77\n*(u32 *)(r2 + 0) = r1"),
    steps: [
      [getInt(PRIORITY), int(77)],
      [getInt(PRIORITY, SOL_SOCKET, 2), "EPERM"],
    ],
  },
  {
    what: "get: a shorter value",
    get: `${optlen(2)}\n${YES}`,
    steps: [[getInt(TYPE), "0200"]],
  },
  {
    what: "get: a longer value, as far as there is room",
    get: `${optlen(8)}\n${YES}`,
    steps: [
      [getInt(TYPE, SOL_SOCKET, 8), "0200000000000000"],
      [getInt(TYPE), "EFAULT"],
    ],
  },
  { what: "get: a negative length", get: `${optlen(-1)}\n${YES}`, steps: [[getInt(TYPE), "EFAULT"]] },
  { what: "get: length 0 leaves the value", get: `${optlen(0)}\n${YES}`, steps: [[getInt(TYPE), int(2)]] },
  {
    what: "get: an option of the program's own",
    get: withValue(4, `r1 = 42\n*(u32 *)(r2 + 0) = r1\n${optlen(4)}\n${retval(0)}`),
    steps: [
      [getInt(1, OWN), int(42)],
      [getInt(TYPE), int(42)],
    ],
  },
  {
    what: "get: the program sees the result of the kernel",
    get: withValue(4, "r1 = *(s32 *)(r6 + 36)\n*(u32 *)(r2 + 0) = r1\nr1 = 0\n*(u32 *)(r6 + 36) = r1"),
    steps: [
      [getInt(TYPE), int(0)],
      [getInt(1, OWN), int(-95)],
    ],
  },
  {
    what: "get: the program sees the length",
    get: withValue(4, "r1 = *(u32 *)(r6 + 32)\n*(u32 *)(r2 + 0) = r1"),
    steps: [
      [getInt(TYPE), int(4)],
      [getInt(TYPE, SOL_SOCKET, 9), int(4)],
    ],
  },
];

for (const { what, set, get, steps } of ROWS) {
  const test = (bpf: Bpf): void => {
    const scene = new AttachScene(bpf);
    try {
      for (const [asm, attachType] of [
        [set, abi.BPF_CGROUP_SETSOCKOPT],
        [get, abi.BPF_CGROUP_GETSOCKOPT],
      ] as const) {
        if (asm === undefined) continue;
        const progType = abi.BPF_PROG_TYPE_CGROUP_SOCKOPT;
        const progFd = load(bpf, `r6 = r1\n${asm}`, { progType, expectedAttachType: attachType });
        bpf.progAttach!({ progFd, attachType, targetFd: scene.cgroupFd("") });
      }
      const calls = steps.map(([call]) => call);
      const results = callAll(bpf, scene, calls);
      expect(calls.map((call, i) => [call, results[i]])).toEqual(steps);
    } finally {
      scene.end();
    }
  };
  onKernels(`sockopt, ${what}`, test, noPython ? { notLinux: noPython } : {});
  it(`sockopt, ${what} (interp)`, () => withKernel((_, proc) => test(proc), { engine: "interp" }));
}
