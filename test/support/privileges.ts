/** Giving up root: capabilities and user of the calling thread, for good. */
import type { Sys } from "../../src/node/linux/sys.ts";
import type { Caps } from "../../src/verifier/platform.ts";

export type CapName = keyof Caps;

/** CAP_*: bits of capset(2). */
export const CAP_BITS: Readonly<Record<CapName, number>> = {
  chown: 0,
  dacOverride: 1,
  fowner: 3,
  netAdmin: 12,
  sysAdmin: 21,
  perfmon: 38,
  bpf: 39,
};

const CAPABILITY_VERSION_3 = 0x20080522;
const PR_SET_DUMPABLE = 4;
const PR_SET_KEEPCAPS = 8;

/** @param caps bits; undefined keeps those there are */
export function dropPrivileges(sys: Sys, caps: readonly number[] | undefined, uid: number): void {
  if (uid !== 0) {
    sys.must("capabilities", "prctl", PR_SET_KEEPCAPS, 1);
    sys.must("groups", "setgroups", 0, 0);
    sys.must(`group ${uid}`, "setresgid", uid, uid, uid);
    sys.must(`user ${uid}`, "setresuid", uid, uid, uid);
  }
  if (caps || uid !== 0) {
    // struct __user_cap_data_struct, twice: effective, permitted, inheritable
    const [low, high] = [0, 32].map((from) => maskOf(caps ?? ALL_BITS, from));
    const header = new Uint8Array(new Uint32Array([CAPABILITY_VERSION_3, 0]).buffer);
    const data = new Uint8Array(new Uint32Array([low!, low!, 0, high!, high!, 0]).buffer);
    sys.keep = [header, data];
    sys.must("capabilities", "capset", sys.addressOf(header), sys.addressOf(data));
  }
  // Changed credentials hide /proc/self from the process itself.
  sys.must("/proc/self", "prctl", PR_SET_DUMPABLE, 1);
}

const ALL_BITS: readonly number[] = Object.values(CAP_BITS);

function maskOf(bits: readonly number[], from: number): number {
  return bits.reduce((mask, bit) => (bit >= from && bit < from + 32 ? mask | (1 << (bit - from)) : mask), 0) >>> 0;
}
