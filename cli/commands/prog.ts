/** skep prog: programs of a kernel, with bpftool's words and JSON. */
import { existsSync, readFileSync } from "node:fs";
import { BPF_PSEUDO_CALL, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE } from "../../src/abi/bpf.ts";
import { BpfError, EINVAL } from "../../src/abi/errno.ts";
import { decode } from "../../src/isa/codec.ts";
import { disasmInsn } from "../../src/isa/disasm.ts";
import { BPF_CALL, BPF_JMP, isLdImm64 } from "../../src/isa/opcodes.ts";
import type { Bpf, Fd, ProgInfo } from "../../src/kernel/bpf.ts";
import { Process } from "../../src/kernel/process.ts";
import { type BpfObject, openObject } from "../../src/loader/object.ts";
import type { BpfProg } from "../../src/loader/prog.ts";
import { AtomicFile, readFile } from "../../src/node/files.ts";
import { runningKernelFacts } from "../../src/node/kernel_facts.ts";
import { PROG_TYPES } from "../../src/progs/prog_types.ts";
import { findSecDef } from "../../src/progs/sec.ts";
import { deleteByForce } from "../bpftool/force.ts";
import { hexDump } from "../bpftool/hex_dump.ts";
import { findRefs, pidLines, pinLines, type Refs, refsJson } from "../bpftool/refs.ts";
import { type Answer, type Call, DONE, hexList, hexWords, objectCommand, type Verb } from "../bpftool/verbs.ts";
import { forEach, KINDS, select, selectOne, type Words } from "../bpftool/words.ts";

const CALL = BPF_JMP | BPF_CALL;

const PROG = "{ id ID | pinned PATH | name NAME | tag TAG }";

const VERBS: Readonly<Record<string, Verb>> = {
  show: { usage: `[${PROG}]`, run: show },
  dump: { usage: `xlated ${PROG} [opcodes]`, run: dump },
  load: { usage: "OBJ PATH [type TYPE] [map { idx IDX | name NAME } MAP] [pinmaps DIR]", run: (c) => load(c, false) },
  loadall: { usage: "OBJ DIR [type TYPE] [map { idx IDX | name NAME } MAP] [pinmaps DIR]", run: (c) => load(c, true) },
  pin: { usage: `${PROG} PATH`, run: pin },
  unload: { usage: PROG, run: unload },
  run: { usage: `${PROG} data_in FILE [data_out FILE] [ctx_in FILE] [ctx_out FILE] [repeat N]`, run },
};

export const prog = objectCommand("prog", "show, load, pin, run and dump programs of a kernel", VERBS);

/** By force, whoever holds it: skep's own verb. */
function unload({ bpf, words, io }: Call): Answer {
  const fd = selectOne(bpf, KINDS.prog, words);
  const { id } = bpf.progInfo(fd);
  bpf.close(fd);
  words.end();
  return deleteByForce(bpf, io, "program", id);
}

export function typeName(type: number): string {
  return PROG_TYPES[type]?.name ?? `type ${type}`;
}

function show({ bpf, words, bpffs }: Call): Answer {
  const refs = findRefs(bpf, bpffs);
  const infos: ProgInfo[] = [];
  const one = words.rest > 0;
  if (one) {
    for (const fd of select(bpf, KINDS.prog, words)) {
      infos.push(bpf.progInfo(fd));
      bpf.close(fd);
    }
    words.end();
  } else {
    forEach(bpf, KINDS.prog, (fd) => void infos.push(bpf.progInfo(fd)));
  }
  const rows = infos.map((i) => jsonOf(bpf, i, refs));
  return { json: one && rows.length === 1 ? rows[0] : rows, text: infos.map((i) => textOf(bpf, i, refs)).join("") };
}

function jsonOf(bpf: Bpf, i: ProgInfo, refs: Refs): object {
  return {
    id: i.id,
    type: typeName(i.type),
    name: i.name || undefined,
    tag: i.tag,
    gpl_compatible: i.gplCompatible,
    ...(i.runTimeNs > 0n && { run_time_ns: i.runTimeNs, run_cnt: i.runCnt }),
    recursion_misses: i.recursionMisses || undefined,
    loaded_at: loadedAt(bpf, i),
    uid: i.createdByUid,
    bytes_xlated: i.xlated.length,
    jited: (i.jitedBytes ?? 0) > 0,
    bytes_jited: i.jitedBytes || undefined,
    bytes_memlock: i.memlock,
    map_ids: i.mapIds.length > 0 ? i.mapIds : undefined,
    btf_id: i.btfId || undefined,
    ...refsJson(refs, "prog", i.id),
  };
}

function textOf(bpf: Bpf, i: ProgInfo, refs: Refs): string {
  const lines = [
    `${i.id}: ${typeName(i.type)}  ${i.name ? `name ${i.name}  ` : ""}tag ${i.tag}${i.gplCompatible ? "  gpl" : ""}`,
  ];
  if (i.runTimeNs > 0n) lines[0] += ` run_time_ns ${i.runTimeNs} run_cnt ${i.runCnt}`;
  const when = new Date(loadedAt(bpf, i) * 1000).toISOString().replace(/\.000Z$/, "+0000");
  lines.push(`loaded_at ${when}  uid ${i.createdByUid}`);
  const jited = i.jitedBytes ? `jited ${i.jitedBytes}B` : "not jited";
  const maps = i.mapIds.length > 0 ? `  map_ids ${i.mapIds.join()}` : "";
  lines.push(`xlated ${i.xlated.length}B  ${jited}${i.memlock === undefined ? "" : `  memlock ${i.memlock}B`}${maps}`);
  lines.push(...pinLines(refs, "prog", i.id));
  if (i.btfId) lines.push(`btf_id ${i.btfId}`);
  lines.push(...pidLines(refs, "prog", i.id));
  return `${lines.join("\n\t")}\n`;
}

/** Seconds of the wall clock. */
function loadedAt(bpf: Bpf, i: ProgInfo): number {
  const sinceBoot = bpf instanceof Process ? Number(bpf.kernel.nowNs()) / 1e9 : uptime();
  return Math.floor(Date.now() / 1000 - sinceBoot + Number(i.loadTimeNs) / 1e9);
}

function uptime(): number {
  return Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
}

function dump({ bpf, words }: Call): Answer {
  words.choose(["xlated"]);
  const fd = selectOne(bpf, KINDS.prog, words);
  const opcodes = words.take("opcodes");
  words.end();
  const { xlated, jitedKsyms = [] } = bpf.progInfo(fd);
  bpf.close(fd);
  const insns = decode(xlated);
  const callee = insns.imm.slice();
  for (let i = 0; i < insns.code.length; i++) {
    // with machine code, a call holds its distance in off and the number of the function in imm
    if (insns.code[i] !== CALL || insns.src[i] !== BPF_PSEUDO_CALL || jitedKsyms.length === 0) continue;
    insns.imm[i] = insns.off[i];
    insns.off[i] = 0;
  }
  const symbolAt = symbols();
  const base = symbolAt.addressOf("__bpf_call_base");
  const rows: { slot: number; disasm: string; raw: Uint8Array }[] = [];
  for (let i = 0; i < insns.code.length; i++) {
    const wide = isLdImm64(insns, i);
    const disasm = disasmInsn(insns, i, {
      style: "kernel",
      call: () => {
        // distances from __bpf_call_base
        if (insns.src[i] === 0) return base === undefined ? undefined : symbolAt.name(base + BigInt(insns.imm[i]));
        if (insns.src[i] !== BPF_PSEUDO_CALL) return undefined;
        const name = symbolAt.name(jitedKsyms[callee[i]] ?? 0n);
        const distance = insns.imm[i] < 0 ? insns.imm[i] : `+${insns.imm[i]}`;
        return name === undefined ? undefined : `pc${distance}#${name}`;
      },
      imm64: () => {
        if (insns.src[i] === BPF_PSEUDO_MAP_FD) return `map[id:${insns.imm[i]}]`;
        return insns.src[i] === BPF_PSEUDO_MAP_VALUE ? `map[id:${insns.imm[i]}][0]+${insns.imm[i + 1]}` : undefined;
      },
    });
    rows.push({ slot: i, disasm, raw: xlated.subarray(8 * i, 8 * (i + (wide ? 2 : 1))) });
    if (wide) i++;
  }
  const json = rows.map(({ disasm, raw }) => ({ disasm, ...(opcodes && { opcodes: hexList(raw) }) }));
  const text = rows.map(
    (r) => `${String(r.slot).padStart(4)}: ${r.disasm}\n${opcodes ? `       ${hexWords(r.raw)}\n` : ""}`,
  );
  return { json, text: text.join("") };
}

/** The kernel's symbols; who may not see addresses gets none. */
function symbols(): { addressOf(name: string): bigint | undefined; name(address: bigint): string | undefined } {
  const names = new Map<bigint, string>();
  const addresses = new Map<string, bigint>();
  if (existsSync("/proc/kallsyms")) {
    for (const line of readFileSync("/proc/kallsyms", "utf8").split("\n")) {
      const [, address, name] = /^([0-9a-f]+) \S (\S+)/.exec(line) ?? [];
      if (address === undefined || /^0+$/.test(address)) continue;
      names.set(BigInt(`0x${address}`), name);
      addresses.set(name, BigInt(`0x${address}`));
    }
  }
  return { addressOf: (name) => addresses.get(name), name: (address) => names.get(address) };
}

/** First program of the file, or all of them; by name, so that `pinned DIR/NAME` finds them again. */
function load({ bpf, words }: Call, all: boolean): Answer {
  const file = words.next("an object file");
  const path = words.next("a path in bpffs");
  using object = openObject(readFile(file), { name: file });
  let pinMaps: string | undefined;
  const open: Fd[] = [];
  while (words.rest > 0) {
    const option = words.choose(["type", "map", "pinmaps"]);
    if (option === "type") setType(object, words);
    else if (option === "pinmaps") pinMaps = words.next("a directory in bpffs");
    else reuseMap(object, words, () => open[open.push(selectOne(bpf, KINDS.map, words)) - 1], bpf);
  }
  const progs = Object.values(object.progs).filter((p) => all || p.autoload);
  if (!all) for (const p of progs.slice(1)) p.autoload = false;
  object.load(bpf, { ...runningKernelFacts() });
  const made: string[] = [];
  const keep = (what: { pin(path: string): void }, at: string) => {
    what.pin(at);
    made.push(at);
  };
  try {
    if (pinMaps !== undefined) {
      for (const map of Object.values(object.maps))
        if (map.isLoaded) keep(map, `${pinMaps}/${map.name.replaceAll(".", "_")}`);
    }
    for (const p of progs) if (p.isLoaded) keep(p, all ? `${path}/${p.name}` : path);
  } catch (e) {
    for (const at of made) bpf.objUnpin(at);
    throw e;
  } finally {
    for (const fd of open) bpf.close(fd);
  }
  return DONE;
}

function setType(object: BpfObject, words: Words): void {
  const name = words.next("a section name");
  const sec = findSecDef(name) ?? findSecDef(name.replace(/\/$/, ""));
  if (!sec) throw new BpfError(EINVAL, `program type '${name}'; wanted one of libbpf's section names`);
  for (const p of Object.values(object.progs) as BpfProg[]) {
    p.type = sec.type;
    p.expectedAttachType = sec.attachType;
  }
}

function reuseMap(object: BpfObject, words: Words, fdOf: () => Fd, bpf: Call["bpf"]): void {
  const maps = Object.values(object.maps);
  const way = words.choose(["idx", "name"]);
  const which = words.next(`the map's ${way}`);
  const map = way === "idx" ? maps[Number(which)] : object.maps[which];
  if (!map) throw words.error(`no map ${way} '${which}' in the object`);
  map.reuse(bpf, fdOf());
}

function pin({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.prog, words);
  bpf.objPin(fd, words.next("a path in bpffs"));
  words.end();
  bpf.close(fd);
  return DONE;
}

function run({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.prog, words);
  const files: Partial<Record<"data_in" | "data_out" | "ctx_in" | "ctx_out", string>> = {};
  const sizes: { dataSizeOut?: number; ctxSizeOut?: number; repeat?: number } = {};
  while (words.rest > 0) {
    const option = words.choose([
      "data_in",
      "data_out",
      "data_size_out",
      "ctx_in",
      "ctx_out",
      "ctx_size_out",
      "repeat",
    ]);
    if (option === "data_size_out") sizes.dataSizeOut = words.number("a size");
    else if (option === "ctx_size_out") sizes.ctxSizeOut = words.number("a size");
    else if (option === "repeat") sizes.repeat = words.number("a count");
    else files[option] = words.next("a file");
  }
  const input = (path: string) => (path === "-" ? new Uint8Array(readFileSync(0)) : readFile(path));
  const result = bpf.progTestRun(fd, {
    ...sizes,
    ...(files.data_in !== undefined && { dataIn: input(files.data_in) }),
    ...(files.ctx_in !== undefined && { ctxIn: input(files.ctx_in) }),
  });
  bpf.close(fd);
  const outputs = { data_out: result.dataOut, ctx_out: result.ctxOut };
  const json: Record<string, unknown> = {};
  let text = "";
  for (const name of ["data_out", "ctx_out"] as const) {
    const path = files[name];
    if (path === undefined) continue;
    if (path !== "-") {
      using file = new AtomicFile(path);
      file.write(outputs[name]);
      file.commit();
      continue;
    }
    json[name] = [...outputs[name]];
    text += hexDump(outputs[name]);
  }
  const duration = Math.round(result.durationNs);
  text += `Return value: ${result.retval}, duration${(sizes.repeat ?? 1) > 1 ? " (average)" : ""}: ${duration}ns\n`;
  return { json: { ...json, retval: result.retval, duration }, text };
}
