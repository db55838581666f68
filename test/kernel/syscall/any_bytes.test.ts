/** Whatever bytes come to bpf(2): a result or a BpfError, references that add up, and nothing left at the end. */
import { expect, it } from "vitest";
import { Random } from "../../../conformance/fuzz/case.ts";
import { pack, randomCall } from "../../../conformance/raw/random.ts";
import { skepKernel, World } from "../../../conformance/raw/world.ts";
import { TEST_RUN } from "../../../src/abi/attr.ts";
import { BPF_PROG_TEST_RUN } from "../../../src/abi/bpf.ts";
import { BPF_CMD_NAMES } from "../../../src/abi/enum_names.ts";
import { BpfError } from "../../../src/abi/errno.ts";
import type { Fd } from "../../../src/kernel/bpf.ts";
import { checkReferences } from "../../../src/kernel/holders.ts";
import { COMMANDS } from "../../../src/kernel/syscall/table.ts";
import { UserBuffers } from "../../../src/kernel/syscall/user_memory.ts";
import { withKernel } from "../../support/kernel.ts";

const CALLS = 10_000;
/** A busy machine may take its time. */
const TIMEOUT_MS = 240_000;
/** Few calls take an fd that is closed again at once: the table stays small. */
const MAX_FDS = 60;

const seed = Math.floor(Math.random() * 0x7fffffff);

/** Words that mean something in an attr: fds, small numbers, addresses of the caller's memory. */
function randomAttr(rng: Random, fds: readonly number[], addresses: readonly number[]): Uint8Array {
  const attr = new Uint8Array(rng.below(260));
  const view = new DataView(attr.buffer);
  for (let at = 0; at + 4 <= attr.length; at += 4) {
    const kind = rng.below(12);
    if (kind < 5) continue;
    if (kind < 7) view.setUint32(at, rng.pick(fds), true);
    else if (kind < 9) view.setUint32(at, rng.below(65), true);
    else if (kind < 10) view.setUint32(at, rng.u32(), true);
    else if (at % 8 === 0 && at + 8 <= attr.length) view.setBigUint64(at, BigInt(rng.pick(addresses)), true);
  }
  return attr;
}

it("every command of 6.18 has an entry, and no other", () => {
  expect(Object.keys(COMMANDS).map(Number)).toEqual(BPF_CMD_NAMES.map((_, cmd) => cmd));
});

interface Bytes {
  readonly cmd: number;
  readonly attr: Uint8Array;
  readonly size: number;
  readonly mem: UserBuffers;
}

function anything(rng: Random, fds: readonly number[], cmds: readonly number[]): Bytes {
  const mem = new UserBuffers();
  const buffers = Array.from({ length: 3 }, () => Uint8Array.from({ length: 256 }, () => rng.u32() & rng.u32()));
  const attr = randomAttr(rng, fds, [...buffers.map((b) => mem.addressOf(b)), 0, 1, 2 ** 40]);
  const cmd = rng.chance(0.01) ? rng.u32() | 0 : rng.pick(cmds);
  return { cmd, attr, size: rng.chance(0.9) ? attr.length : rng.below(5000), mem };
}

/** A call that makes sense, in which some bytes are others. */
function almostRight(rng: Random, world: World, cmds: readonly number[]): Bytes {
  const call = randomCall(rng, cmds);
  const { attr, at } = pack(world, call);
  for (let n = rng.below(4); n > 0; n--) attr[rng.below(80)] = rng.u32();
  return { cmd: call.cmd, attr, size: call.size, mem: at as UserBuffers };
}

/** Of the attr of a test run: it would take as long as it says. */
const REPEAT = TEST_RUN.offsetOf("repeat");

it(
  `${CALLS} calls of any bytes (seed ${seed})`,
  () =>
    withKernel(
      (kernel, proc) => {
        proc.fs.mkdir("/d");
        proc.fs.mount("/d");
        const world = new World(skepKernel(proc), "/d", true);
        const known = new Set(Object.values(world.fds));
        const rng = new Random(seed);
        const cmds = Object.keys(COMMANDS).map(Number);
        for (let n = 0; n < CALLS; n++) {
          const { cmd, attr, size, mem } = rng.chance(0.5)
            ? almostRight(rng, world, cmds)
            : anything(rng, proc.fds, cmds);
          if (cmd === BPF_PROG_TEST_RUN) attr.fill(0, REPEAT, REPEAT + 4);
          try {
            expect(proc.bpf(cmd, attr, size, mem)).toBeGreaterThanOrEqual(0);
          } catch (e) {
            if (!(e instanceof BpfError)) throw new Error(`command ${cmd}, attr ${attr}: ${e}`, { cause: e });
          }
          if (proc.fds.length > MAX_FDS) for (const fd of proc.fds) if (!known.has(fd)) proc.close(fd as Fd);
          if (n % 100 === 0) checkReferences(kernel);
        }
        checkReferences(kernel);
        world.close();
        for (const fd of proc.fds) proc.close(fd);
        proc.fs.umount("/d", { detach: true });
      },
      { maxPages: 4096 },
    ),
  TIMEOUT_MS,
);
