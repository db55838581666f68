/**
 * bpf(2) as bytes: batches of map elements. `count` is written back as soon as it is known to be wrong: zero at the
 * start, then how far the batch came, unless memory that a read fills is missing.
 *
 * Source   generic_map_*_batch(), __htab_map_lookup_and_delete_batch().
 */
import { MAP_BATCH } from "../../abi/attr.ts";
import * as abi from "../../abi/bpf.ts";
import { BpfError, ENOENT, type Errno } from "../../abi/errno.ts";
import { type BatchOp, checkBatch, lookupBatch } from "../../maps/batch.ts";
import type { Fd } from "../fd.ts";
import type { KMap } from "../map.ts";
import type { Call } from "./call.ts";
import { type Command, command, refuse, type Unpacked } from "./command.ts";
import { mapAt } from "./fds.ts";

type Batch = Unpacked<typeof MAP_BATCH>;

export const BATCH_COMMANDS: Readonly<Record<number, Command>> = {
  [abi.BPF_MAP_LOOKUP_BATCH]: batch((call, a) => read(call, a, false)),
  [abi.BPF_MAP_LOOKUP_AND_DELETE_BATCH]: batch((call, a) => read(call, a, true)),
  [abi.BPF_MAP_UPDATE_BATCH]: batch((call, a) => write(call, a, "update")),
  [abi.BPF_MAP_DELETE_BATCH]: batch((call, a) => write(call, a, "delete")),
};

function batch(run: (call: Call, a: Batch) => number): Command {
  return command(MAP_BATCH, "flags", run);
}

function begin(call: Call, a: Batch, op: BatchOp): KMap {
  const map = mapAt(call, a.map_fd, op === "lookup" ? "read" : op === "lookupAndDelete" ? "both" : "write");
  checkBatch(map.map, op, a.elem_flags, a.flags);
  return map;
}

function read(call: Call, a: Batch, removes: boolean): number {
  const map = begin(call, a, removes ? "lookupAndDelete" : "lookup");
  if (a.count === 0) return 0;
  call.put(MAP_BATCH, { count: 0 });
  const { keySize } = map;
  const position = map.map.type.batch === "hash" ? 4 : keySize;
  const from = a.in_batch === 0n ? undefined : call.read(a.in_batch, position);
  const got = call.proc.as(() => lookupBatch(map.map, from, a.count, Number(a.elem_flags), removes));
  const { sysValueSize } = map.map;
  for (let n = 0; n < got.count; n++) {
    call.write(a.keys + BigInt(n * keySize), got.keys.subarray(n * keySize, (n + 1) * keySize));
    call.write(a.values + BigInt(n * sysValueSize), got.values.subarray(n * sysValueSize, (n + 1) * sysValueSize));
  }
  // Hash tables tell the position first, others the count.
  const put = [
    () => call.put(MAP_BATCH, { count: got.count }),
    () => got.outBatch && call.write(a.out_batch, got.outBatch),
  ];
  if (map.map.type.batch === "hash") put.reverse();
  for (const tell of put) tell();
  if (got.errno) throw map.map.error(got.errno, got.errno === ENOENT ? "the end" : "batch", { count: got.count });
  return 0;
}

function write(call: Call, a: Batch, op: "update" | "delete"): number {
  const map = begin(call, a, op);
  if (a.count === 0) return 0;
  call.put(MAP_BATCH, { count: 0 });
  const { keySize } = map;
  const { sysValueSize } = map.map;
  let errno: Errno | 0 = 0;
  let n = 0;
  for (; n < a.count && errno === 0; n++) {
    try {
      const key = call.read(a.keys + BigInt(n * keySize), keySize);
      if (op === "delete") call.proc.mapDeleteElem(a.map_fd as Fd, key);
      else {
        const value = call.read(a.values + BigInt(n * sysValueSize), sysValueSize);
        call.proc.mapUpdateElem(a.map_fd as Fd, key, value, a.elem_flags);
      }
    } catch (e) {
      if (!(e instanceof BpfError)) throw e;
      errno = e.errno;
      break;
    }
  }
  call.put(MAP_BATCH, { count: n });
  return errno ? refuse(errno, `map '${map.name}': element ${n} of a batch`, { count: n }) : 0;
}
