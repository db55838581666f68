/** skep map: maps of a kernel, with bpftool's words and JSON. */
import * as abi from "../../src/abi/bpf.ts";
import { BpfError, EINVAL, ENOENT } from "../../src/abi/errno.ts";
import { parseBtf } from "../../src/btf/btf.ts";
import { valueNode } from "../../src/btf/format_value.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { Bpf, Fd, MapInfo } from "../../src/kernel/bpf.ts";
import { MAP_TYPES, mapTypeByName } from "../../src/maps/table.ts";
import { deleteByForce } from "../bpftool/force.ts";
import { findRefs, pidLines, pinLines, type Refs, refsJson } from "../bpftool/refs.ts";
import {
  type Answer,
  type Call,
  DONE,
  Finished,
  hexList,
  hexWords,
  objectCommand,
  type Verb,
} from "../bpftool/verbs.ts";
import { forEach, KINDS, select, selectOne, type Words } from "../bpftool/words.ts";

const MAP = "{ id ID | pinned PATH | name NAME }";
const DATA = "{ [hex] BYTES }";

const VERBS: Readonly<Record<string, Verb>> = {
  show: { usage: `[${MAP}]`, run: show },
  create: {
    usage: "PATH type TYPE key SIZE value SIZE entries N name NAME [flags FLAGS] [inner_map MAP]",
    run: create,
  },
  dump: { usage: MAP, run: dump },
  update: { usage: `${MAP} [key ${DATA}] [value { ${DATA} | MAP | PROG }] [any|exist|noexist]`, run: update },
  lookup: { usage: `${MAP} [key ${DATA}]`, run: lookup },
  getnext: { usage: `${MAP} [key ${DATA}]`, run: getNext },
  delete: { usage: `${MAP} [key ${DATA}]`, run: remove },
  pin: { usage: `${MAP} PATH`, run: pin },
  freeze: { usage: MAP, run: freeze },
};

export const map = objectCommand("map", "show, create, dump and change maps of a kernel", VERBS);

function typeName(type: number): string {
  return MAP_TYPES[type]?.name ?? `type ${type}`;
}

function show({ bpf, words, bpffs }: Call): Answer {
  const refs = findRefs(bpf, bpffs);
  const infos: MapInfo[] = [];
  const one = words.rest > 0;
  if (one) {
    for (const fd of select(bpf, KINDS.map, words)) {
      infos.push(bpf.mapInfo(fd));
      bpf.close(fd);
    }
    words.end();
  } else {
    forEach(bpf, KINDS.map, (fd) => void infos.push(bpf.mapInfo(fd)));
  }
  const rows = infos.map((i) => jsonOf(i, refs));
  return { json: one && rows.length === 1 ? rows[0] : rows, text: infos.map((i) => textOf(i, refs)).join("") };
}

function jsonOf(i: MapInfo, refs: Refs): object {
  return {
    id: i.id,
    type: typeName(i.type),
    name: i.name || undefined,
    flags: i.mapFlags,
    ifindex: i.ifindex || undefined,
    bytes_key: i.keySize,
    bytes_value: i.valueSize,
    max_entries: i.maxEntries,
    bytes_memlock: i.memlock,
    frozen: Number(i.frozen),
    btf_id: i.btfId || undefined,
    ...refsJson(refs, "map", i.id),
  };
}

function textOf(i: MapInfo, refs: Refs): string {
  const lines = [`${i.id}: ${typeName(i.type)}  ${i.name ? `name ${i.name}  ` : ""}flags 0x${i.mapFlags.toString(16)}`];
  const memlock = i.memlock === undefined ? "" : `  memlock ${i.memlock}B`;
  lines.push(`key ${i.keySize}B  value ${i.valueSize}B  max_entries ${i.maxEntries}${memlock}`);
  const last = [i.btfId ? `btf_id ${i.btfId}` : "", i.frozen ? "frozen" : ""].filter((w) => w !== "");
  lines.push(...pinLines(refs, "map", i.id));
  if (last.length > 0) lines.push(last.join("  "));
  lines.push(...pidLines(refs, "map", i.id));
  return `${lines.join("\n\t")}\n`;
}

function create({ bpf, words }: Call): Answer {
  const path = words.next("a path in bpffs");
  const options: Record<string, number> = {};
  let name = "";
  let inner: Fd | undefined;
  while (words.rest > 0) {
    const option = words.choose(["type", "key", "value", "entries", "name", "flags", "inner_map"]);
    if (option === "name") name = words.next("a name");
    else if (option === "inner_map") inner = selectOne(bpf, KINDS.map, words);
    else if (option !== "type") options[option] = words.number(`a number for ${option}`);
    else {
      const text = words.next("a map type");
      const type = mapTypeByName(text);
      if (type === undefined) throw words.error(`'${text}' seen, a map type wanted`);
      options["type"] = type;
    }
  }
  if (options["type"] === undefined) throw words.error("type TYPE wanted");
  if (name === "") throw words.error("name NAME wanted");
  const fd = bpf.mapCreate({
    mapType: options["type"],
    keySize: options["key"] ?? 0,
    valueSize: options["value"] ?? 0,
    maxEntries: options["entries"] ?? 0,
    mapFlags: options["flags"] ?? 0,
    name,
    ...(inner !== undefined && { innerMapFd: inner }),
  });
  bpf.objPin(fd, path);
  bpf.close(fd);
  if (inner !== undefined) bpf.close(inner);
  return DONE;
}

/** What is needed to show elements of a map. */
interface View {
  readonly info: MapInfo;
  readonly percpu: boolean;
  /** By BTF, when the map has types. */
  formatted(key: Uint8Array, values: readonly Uint8Array[]): object | undefined;
}

function viewOf(bpf: Bpf, fd: Fd): View {
  const info = bpf.mapInfo(fd);
  const percpu = MAP_TYPES[info.type]?.percpu === true;
  if (info.btfId === 0 || info.btfValueTypeId === 0) return { info, percpu, formatted: () => undefined };
  const btfFd = bpf.btfGetFdById(info.btfId);
  const btf = parseBtf(bpf.btfInfo(btfFd).bytes);
  bpf.close(btfFd);
  const node = (type: number, bytes: Uint8Array) => new Finished(valueNode(btf, type, bytes));
  return {
    info,
    percpu,
    formatted: (key, values) => ({
      ...(info.btfKeyTypeId !== 0 && { key: node(info.btfKeyTypeId, key) }),
      ...(percpu
        ? { values: values.map((v, cpu) => ({ cpu, value: node(info.btfValueTypeId, v) })) }
        : { value: node(info.btfValueTypeId, values[0]) }),
    }),
  };
}

/** One value, or one for each CPU without its padding. */
function split(view: View, value: Uint8Array): Uint8Array[] {
  const { valueSize } = view.info;
  if (!view.percpu) return [value];
  const step = (valueSize + 7) & ~7;
  return Array.from({ length: value.length / step }, (_, cpu) => value.subarray(cpu * step, cpu * step + valueSize));
}

/** { json, text } of one element. */
function element(view: View, key: Uint8Array, value: Uint8Array): { json: object; text: string; formatted: unknown } {
  const values = split(view, value);
  const formatted = view.formatted(key, values);
  const json = {
    key: hexList(key),
    ...(view.percpu ? { values: values.map((v, cpu) => ({ cpu, value: hexList(v) })) } : { value: hexList(value) }),
    formatted,
  };
  const wide = view.percpu || key.length + value.length > 24 || key.length > 16;
  const lines = view.percpu
    ? values.map((v, cpu) => `value (CPU ${String(cpu).padStart(2, "0")}):${v.length > 16 ? "\n" : " "}${hexWords(v)}`)
    : [`value:${wide ? "\n" : " "}${hexWords(value)}`];
  const text = wide ? `key:\n${hexWords(key)}\n${lines.join("\n")}\n` : `key: ${hexWords(key)}  ${lines[0]}\n`;
  return { json, text, formatted };
}

function dump({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.map, words);
  words.end();
  const view = viewOf(bpf, fd);
  const rows: object[] = [];
  let text = "";
  let count = 0;
  for (let key = firstKey(bpf, fd); key !== undefined; key = bpf.mapGetNextKey(fd, key)) {
    try {
      const e = element(view, key, bpf.mapLookupElem(fd, key));
      rows.push(e.json);
      text += e.text;
      count++;
    } catch (e) {
      // gone meanwhile, an empty slot, or a type whose values nobody sees
      if (!(e instanceof BpfError)) throw e;
      if (e.errno === ENOENT) continue;
      rows.push({ key: hexList(key), value: { error: e.message } });
      text += `key: ${hexWords(key)}  value: ${e.message}\n`;
    }
  }
  bpf.close(fd);
  return { json: rows, text: `${text}Found ${count} element${count === 1 ? "" : "s"}\n` };
}

/** Maps without keys, such as ring buffers, have nothing to go through. */
function firstKey(bpf: Bpf, fd: Fd): Uint8Array | undefined {
  try {
    return bpf.mapGetNextKey(fd, undefined);
  } catch (e) {
    if (e instanceof BpfError) return undefined;
    throw e;
  }
}

function keyWords(words: Words, info: MapInfo): Uint8Array {
  return words.take("key") ? words.bytes("the key", info.keySize) : new Uint8Array();
}

function lookup({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.map, words);
  const view = viewOf(bpf, fd);
  const key = keyWords(words, view.info);
  words.end();
  try {
    const { json, text } = element(view, key, bpf.mapLookupElem(fd, key));
    return { json, text };
  } catch (e) {
    if (!(e instanceof BpfError) || e.errno !== ENOENT) throw e;
    return { json: null, text: `key:\n${hexWords(key)}\n\nNot found\n` };
  } finally {
    bpf.close(fd);
  }
}

function getNext({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.map, words);
  const info = bpf.mapInfo(fd);
  const key = words.take("key") ? words.bytes("the key", info.keySize) : undefined;
  words.end();
  const next = bpf.mapGetNextKey(fd, key);
  bpf.close(fd);
  if (next === undefined) throw new BpfError(ENOENT, `map '${info.name}': no key follows`);
  const text = `${key ? `key:\n${hexWords(key)}\n` : "key: None\n"}next key:\n${hexWords(next)}\n`;
  return { json: { key: key ? hexList(key) : null, next_key: hexList(next) }, text };
}

const FLAGS = { any: abi.BPF_ANY, noexist: abi.BPF_NOEXIST, exist: abi.BPF_EXIST } as const;

function update({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.map, words);
  const info = bpf.mapInfo(fd);
  const key = keyWords(words, info);
  const value = words.take("value") ? valueWords(bpf, words, info) : { bytes: new Uint8Array(), fds: [] };
  const flags = words.rest > 0 ? FLAGS[words.choose(["any", "noexist", "exist"])] : abi.BPF_ANY;
  words.end();
  bpf.mapUpdateElem(fd, key, value.bytes, BigInt(flags));
  for (const f of [fd, ...value.fds]) bpf.close(f);
  return DONE;
}

/** Bytes, or for maps of objects the object; a per-CPU value is the same on every CPU. */
function valueWords(bpf: Bpf, words: Words, info: MapInfo): { bytes: Uint8Array; fds: Fd[] } {
  const holds = HOLDS[info.type];
  if (holds && /^(id|pinned|name|tag)$/.test(words.peek() ?? "")) {
    const fd = selectOne(bpf, KINDS[holds], words);
    return { bytes: new ByteWriter(4).u32(fd).finish(), fds: [fd] };
  }
  const one = words.bytes("the value", info.valueSize);
  if (!MAP_TYPES[info.type]?.percpu) return { bytes: one, fds: [] };
  const step = (info.valueSize + 7) & ~7;
  const all = new Uint8Array(step * bpf.possibleCpus);
  for (let cpu = 0; cpu < bpf.possibleCpus; cpu++) all.set(one, cpu * step);
  return { bytes: all, fds: [] };
}

const HOLDS: Readonly<Record<number, "prog" | "map">> = {
  [abi.BPF_MAP_TYPE_PROG_ARRAY]: "prog",
  [abi.BPF_MAP_TYPE_ARRAY_OF_MAPS]: "map",
  [abi.BPF_MAP_TYPE_HASH_OF_MAPS]: "map",
};

/** An element, as bpftool does; without a key the whole map, by force. */
function remove({ bpf, words, io }: Call): Answer {
  const fd = selectOne(bpf, KINDS.map, words);
  const info = bpf.mapInfo(fd);
  if (words.rest === 0) {
    bpf.close(fd);
    return deleteByForce(bpf, io, "map", info.id);
  }
  if (!words.take("key")) throw new BpfError(EINVAL, `map '${info.name}': no key; wanted key BYTES`);
  const key = words.bytes("the key", info.keySize);
  words.end();
  bpf.mapDeleteElem(fd, key);
  bpf.close(fd);
  return DONE;
}

function pin({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.map, words);
  bpf.objPin(fd, words.next("a path in bpffs"));
  words.end();
  bpf.close(fd);
  return DONE;
}

function freeze({ bpf, words }: Call): Answer {
  const fd = selectOne(bpf, KINDS.map, words);
  words.end();
  bpf.mapFreeze(fd);
  bpf.close(fd);
  return DONE;
}
