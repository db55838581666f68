/**
 * What cases of test/linux need of a kernel, beyond what any kernel with bpf(2) has, and how to ask for it.
 *
 * A kernel is asked, never its version: a distribution may carry a feature back, or leave it out.
 */
import { execFileSync } from "node:child_process";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError, ENOENT, EPERM, type Errno, errnoName } from "../../src/abi/errno.ts";
import type { MapCreateAttr } from "../../src/kernel/bpf.ts";
import type { LinuxBpf } from "../../src/node/linux/index.ts";

interface Need {
  /** Of the feature, as the reason of a skip says it. */
  readonly name: string;
  /** Titles of the cases, from the outermost describe() on. */
  readonly cases: readonly RegExp[];
  /** Throws, or says what is wrong, when the kernel lacks it. */
  readonly probe: (bpf: LinuxBpf) => string | undefined;
}

function tryMap(bpf: LinuxBpf, attr: MapCreateAttr): undefined {
  bpf.close(bpf.mapCreate(attr));
}

/** 0 when the body does not fail. */
function errnoOf(body: () => void): Errno {
  try {
    body();
    return 0 as Errno;
  } catch (e) {
    if (e instanceof BpfError) return e.errno;
    throw e;
  }
}

const NEEDS: readonly Need[] = [
  {
    name: "tcx",
    cases: [/programs on devices > tcx/],
    probe: (bpf) => void bpf.progQuery({ attachType: abi.BPF_TCX_INGRESS, targetIfindex: 1 }),
  },
  {
    name: "arenas",
    cases: [/^(create|every command,) type 33 /, /^inner maps /],
    probe: (bpf) => tryMap(bpf, { mapType: 33, keySize: 0, valueSize: 0, maxEntries: 4, mapFlags: abi.BPF_F_MMAPABLE }),
  },
  {
    name: "LPM tries with values of almost 4 MiB",
    cases: [/^create type 11 /],
    probe: (bpf) => tryMap(bpf, { mapType: 11, keySize: 8, valueSize: 4194024, maxEntries: 1, mapFlags: 1 }),
  },
  {
    name: "lookup-and-delete of stack traces",
    cases: [/^every command, type 7 /],
    probe: (bpf) => {
      const fd = bpf.mapCreate({ mapType: 7, keySize: 4, valueSize: 8, maxEntries: 4 });
      const errno = errnoOf(() => bpf.mapLookupAndDeleteElem(fd, new Uint8Array(4)));
      bpf.close(fd);
      return errno === ENOENT ? undefined : `${errnoName(errno)} seen, ENOENT wanted`;
    },
  },
  {
    name: "EPERM of a second freeze",
    cases: [/^array flags /],
    probe: (bpf) => {
      const fd = bpf.mapCreate({ mapType: 2, keySize: 4, valueSize: 4, maxEntries: 1 });
      bpf.mapFreeze(fd);
      const errno = errnoOf(() => bpf.mapFreeze(fd));
      bpf.close(fd);
      return errno === EPERM ? undefined : `${errnoName(errno)} seen, EPERM wanted`;
    },
  },
  {
    name: "the bpftool command",
    cases: [/bpftool/],
    probe: () => void execFileSync("bpftool", ["version"], { stdio: "ignore" }),
  },
];

/** The halves of onKernels() that ask no Linux. */
const IN_PROCESS = / > skep$/;

/** For each need that this kernel does not meet: the reason. Each is asked once. */
export function unmet(bpf: LinuxBpf): (title: string) => string | undefined {
  const reasons = NEEDS.map((need) => {
    try {
      const wrong = need.probe(bpf);
      return wrong === undefined ? undefined : `needs ${need.name}: ${wrong}`;
    } catch (e) {
      return `needs ${need.name}: ${e instanceof BpfError ? e.message : String(e)}`;
    }
  });
  return (title) => {
    if (IN_PROCESS.test(title)) return "the in-process kernel is the same everywhere";
    return reasons.find((reason, n) => reason && NEEDS[n]!.cases.some((c) => c.test(title)));
  };
}
