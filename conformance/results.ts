/**
 * Holds what programs compute against Linux: every selftest program that Linux accepts and that both can test-run gets the
 * same packet here, on JIT and interpreter, and on the kernel below; return value and packet must agree.
 *
 *   npm run conformance:results -- [--objects DIR] [--only FILE[:PROG]]
 *
 * Left out, with their numbers: programs with CO-RE or kfunc relocations, maps that refer to other objects, types without
 * packets. Programs whose result is not one (random numbers, addresses, bytes nobody wrote) are in UNSTEADY.
 * Exit code  0 when all agree; 1 when one does not; 2 when Linux does not run programs here.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LinuxBpf, type LinuxLoad } from "../bench/linux_bpf.ts";
import { sourceFile } from "../bench/source_file.ts";
import * as abi from "../src/abi/bpf.ts";
import { toHex } from "../src/bytes/hex.ts";
import { encode } from "../src/isa/codec.ts";
import { BpfObject } from "../src/loader/object.ts";
import { createKernel } from "../src/net/create.ts";
import { loadKernelBtf } from "../src/node/kernel_btf.ts";
import { openSpec } from "../src/object/open.ts";
import type { ObjectSpec, ProgSpec } from "../src/object/spec.ts";
import type { VerdictRow } from "./compare.ts";

const TYPES = new Set([
  abi.BPF_PROG_TYPE_SOCKET_FILTER,
  abi.BPF_PROG_TYPE_SCHED_CLS,
  abi.BPF_PROG_TYPE_XDP,
  abi.BPF_PROG_TYPE_CGROUP_SKB,
]);

/** Maps that are nothing but bytes. */
const MAPS = new Set([
  abi.BPF_MAP_TYPE_HASH,
  abi.BPF_MAP_TYPE_ARRAY,
  abi.BPF_MAP_TYPE_PERCPU_HASH,
  abi.BPF_MAP_TYPE_PERCPU_ARRAY,
  abi.BPF_MAP_TYPE_LRU_HASH,
  abi.BPF_MAP_TYPE_LPM_TRIE,
  abi.BPF_MAP_TYPE_QUEUE,
  abi.BPF_MAP_TYPE_STACK,
]);
const MOST_ENTRIES = 100_000;
/** Verified here in well under a second. */
const MOST_INSNS = 50_000;

/** FILE:PROG to the reason why two runs need not agree. */
const UNSTEADY: Readonly<Record<string, string>> = {
  "test_global_func16.o:global_func16": "reads stack that nobody wrote",
  "verifier_basic_stack.o:uninitialized_stack2": "reads stack that nobody wrote",
  "verifier_raw_stack.o:stack_no_skb_load_bytes": "reads stack that nobody wrote",
  "verifier_bounds.o:non_const_xor_src_dst": "random number",
  "verifier_bounds.o:non_const_or_src_dst": "random number",
  "verifier_bounds.o:non_const_mul_regs": "random number",
  "verifier_bounds.o:signed_unsigned_intersection32_case1": "random number",
  "verifier_bounds.o:signed_unsigned_intersection32_case2": "random number",
  "verifier_bounds.o:reg_not_equal_const": "random number",
  "verifier_bounds.o:reg_equal_const": "random number",
  "verifier_reg_equal.o:subreg_equality_1": "clock",
  "verifier_direct_packet_access.o:direct_packet_access_test4_write": "stores an address",
  "verifier_direct_packet_access.o:packet_access_test17_pruning_alignment": "stores an address",
  "verifier_direct_packet_access.o:test18_imm_pkt_ptr_1": "stores an address",
  "verifier_direct_packet_access.o:test19_imm_pkt_ptr_2": "stores an address",
  "verifier_direct_packet_access.o:test22_x_pkt_ptr_3": "tests the upper bits of an address",
};

/** An Ethernet frame with IPv4 and the beginning of TCP, 64 bytes. */
function packet(): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
  bytes.set([0x45, 0, 0, 50, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 0x1f, 0x90], 14);
  return bytes;
}

const { values: options } = parseArgs({
  options: {
    objects: { type: "string", default: sourceFile("../conformance/build") },
    only: { type: "string", default: "" },
  },
});
const [onlyFile, onlyProg] = options.only.split(":");
const kernelBtf = loadKernelBtf(undefined).btf;
const linux = new LinuxBpf();
const counts = new Map<string, number>();
const different: string[] = [];
process.exitCode = await main();

async function main(): Promise<number> {
  const why = await linux.unavailable();
  if (why !== undefined) {
    console.error(`Linux does not run programs here: ${why}`);
    linux.close();
    return 2;
  }
  const accepted = accordingToLinux();
  for (const [file, progs] of accepted) {
    const path = join(options.objects, file);
    if (!existsSync(path)) {
      count("object not built (npm run conformance builds them)");
      continue;
    }
    const spec = openSpec(readFileSync(path), file);
    for (const prog of spec.progs) if (progs.has(prog.name)) count(await compare(spec, prog));
  }
  linux.close();
  for (const [what, n] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`${String(n).padStart(6)}  ${what}`);
  for (const line of different) console.log(line);
  return different.length > 0 ? 1 : 0;
}

function count(what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** Names of accepted programs, by file. */
function accordingToLinux(): Map<string, Set<string>> {
  const out = new Map<string, Set<string>>();
  const text = readFileSync(sourceFile("../conformance/data/linux-6.18-selftests.jsonl"), "utf8");
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const { file, prog, verdict, insns } = JSON.parse(line) as VerdictRow;
    const meant = (!onlyFile || file === onlyFile) && (!onlyProg || prog === onlyProg);
    if (!meant || verdict !== "success" || insns > MOST_INSNS) continue;
    out.set(file, (out.get(file) ?? new Set()).add(prog));
  }
  return out;
}

/** @returns what became of it */
async function compare(spec: ObjectSpec, prog: ProgSpec): Promise<string> {
  const name = `${spec.file}:${prog.name}`;
  if (!TYPES.has(prog.type)) return "left out: type";
  if (prog.expectedAttachType === abi.BPF_XDP_DEVMAP || prog.expectedAttachType === abi.BPF_XDP_CPUMAP) {
    return "left out: runs behind a redirect only";
  }
  if (UNSTEADY[name]) return "left out: unsteady";
  const load = linuxLoad(spec, prog);
  if (typeof load === "string") return load;
  let theirs: { retval: number; data: string };
  try {
    const id = await linux.load(load);
    theirs = await linux.run(id);
    await linux.unload(id);
  } catch {
    return "left out: Linux wants more to load it";
  }
  for (const engine of ["jit", "interp"] as const) {
    const ours = runHere(spec, prog.name, engine);
    if (ours.retval === theirs.retval && ours.data === theirs.data) continue;
    different.push(`${name} on ${engine}: ${JSON.stringify(ours)}, Linux ${JSON.stringify(theirs)}`);
    return "DIFFERENT";
  }
  return "same on JIT, interpreter and Linux";
}

/** What Linux is given, or why it is not. */
function linuxLoad(spec: ObjectSpec, prog: ProgSpec): LinuxLoad | string {
  if (prog.coreRelos.length > 0) return "left out: CO-RE";
  const used = [...new Set(prog.relocs.flatMap((r) => (r.kind === "map" || r.kind === "map_value" ? [r.map] : [])))];
  const maps = used.map((m) => spec.maps[m]);
  if (maps.some((m) => !MAPS.has(m.type) || m.maxEntries > MOST_ENTRIES)) return "left out: maps";
  const relocs: [number, number][] = [];
  const values: [number, number, number][] = [];
  for (const r of prog.relocs) {
    if (r.kind === "map") relocs.push([r.insnIdx, used.indexOf(r.map)]);
    else if (r.kind === "map_value") values.push([r.insnIdx, used.indexOf(r.map), r.off]);
    else return "left out: externs";
  }
  return {
    type: prog.type,
    insns: toHex(encode(prog.insns)),
    maps: maps.map((m) => ({
      type: m.type,
      key: m.keySize,
      value: m.valueSize,
      max: m.maxEntries || 1,
      flags: m.mapFlags & ~abi.BPF_F_MMAPABLE,
    })),
    relocs,
    values,
    elems: maps.flatMap((m, map) => (m.global ? [{ map, keys: "00000000", values: toHex(m.global.bytes) }] : [])),
    data: toHex(packet()),
  };
}

/** Retval and packet, or the error. */
type Outcome = { readonly retval?: number; readonly data?: string; readonly error?: string };

function runHere(spec: ObjectSpec, name: string, engine: "jit" | "interp"): Outcome {
  const kernel = createKernel({ kernelBtf });
  const proc = kernel.spawn();
  const obj = new BpfObject(spec);
  const prog = obj.progs[name];
  for (const p of Object.values(obj.progs)) p.autoload = p === prog;
  const used = new Set(spec.progs.find((p) => p.name === name)?.relocs.map((r) => ("map" in r ? r.map : -1)));
  for (const [n, { name: mapName }] of spec.maps.entries()) {
    const map = obj.maps[mapName];
    map.pinPath = undefined;
    if (!used.has(n)) map.autocreate = false;
    else if (map.maxEntries === 0) map.maxEntries = 1;
  }
  try {
    obj.load(proc, { kernelBtf });
    const { retval, dataOut } = prog.testRun({ dataIn: packet(), engine });
    return { retval, data: toHex(dataOut) };
  } catch (error) {
    return { error: (error as Error).message };
  } finally {
    obj.close();
    proc.exit();
  }
}
