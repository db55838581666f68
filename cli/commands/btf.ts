/**
 * skep btf: the types of an object file, of a kernel or of what is loaded into it. Takes bpftool's words too:
 * `btf dump file FILE format c`, `btf show`, `btf dump map name flows`.
 */
import { type Command, Option } from "commander";
import { BpfError, ENOENT } from "../../src/abi/errno.ts";
import { type Btf, parseBtf } from "../../src/btf/btf.ts";
import { dumpC } from "../../src/btf/dump_c.ts";
import { dumpJson, dumpRaw } from "../../src/btf/dump_raw.ts";
import type { Bpf } from "../../src/kernel/bpf.ts";
import { readBtfFile } from "../../src/node/kernel_btf.ts";
import { findRefs, type Holder } from "../bpftool/refs.ts";
import { forEach, KINDS, selectOne, Words } from "../bpftool/words.ts";
import { addKernelOption, addScenarioOption, type KernelName, openKernel } from "../kernel.ts";
import { UsageError } from "../output.ts";
import type { CliCommand } from "./command.ts";

interface Options {
  readonly format?: string;
  readonly base?: string;
  readonly json?: boolean;
  readonly kernel: KernelName;
  readonly scenario?: string;
}

const FORMATS = ["c", "raw", "json"];
/** Where BTF comes from when no file is named. */
const OBJECTS = ["id", "map", "prog"] as const;

export const btf: CliCommand = {
  name: "btf",
  description: "print types: btf dump FILE [--format c|raw|json]; btf show",
  configure(command: Command) {
    command
      .argument(
        "<words...>",
        "dump FILE, or as bpftool: show, dump { file FILE | id ID | map MAP | prog PROG } [format c|raw]",
      )
      .addOption(new Option("-f, --format <format>", "default: raw").choices(FORMATS))
      .option("-B, --base <file>", "base BTF of split BTF (a module's: that of vmlinux)");
    addKernelOption(command, "linux");
    addScenarioOption(command);
  },
  run([words], options, io) {
    const { base, json, kernel, scenario } = options as unknown as Options;
    const [verb, ...rest] = words as string[];
    if (verb === "show" || verb === "list") {
      using opened = openKernel(kernel, scenario);
      const { bpf } = opened;
      const rows = listBtf(bpf);
      io.out(json ? `${JSON.stringify(rows)}\n` : rows.map(textOf).join(""));
      return 0;
    }
    if (verb !== "dump") throw new UsageError(`btf: '${verb}' seen, 'dump' or 'show' wanted`);
    const source = OBJECTS.find((o) => o === rest[0] && rest.length > 1);
    let types: Btf;
    let ids: number[] | undefined;
    let more: string[];
    if (source) {
      using opened = openKernel(kernel, scenario);
      const { bpf } = opened;
      const left = new Words("btf dump", source === "id" ? rest : rest.slice(1));
      ({ types, ids } = loadedBtf(bpf, source, left));
      more = [];
      while (left.rest > 0) more.push(left.next("format"));
    } else {
      if (rest[0] === "file" && rest.length > 1) rest.shift();
      const [file, ...others] = rest;
      if (file === undefined) throw new UsageError("btf dump: a file wanted");
      types = readBtfFile(file, base === undefined ? undefined : readBtfFile(base));
      more = others;
    }
    const format = (options as Partial<Options>).format ?? formatWord(more) ?? (json ? "json" : "raw");
    const text = format === "c" ? dumpC(types) : format === "json" ? dumpJson(types, ids) : dumpRaw(types, ids);
    io.out(text.endsWith("\n") ? text : `${text}\n`);
    return 0;
  },
};

/** The BTF of an object; for a map only the types of its key and value unless `all` is said. */
function loadedBtf(
  bpf: Bpf,
  source: (typeof OBJECTS)[number],
  words: Words,
): { types: Btf; ids: number[] | undefined } {
  if (source === "id") return { types: btfOf(bpf, selectOne(bpf, KINDS.btf, words), true), ids: undefined };
  const fd = selectOne(bpf, KINDS[source], words);
  const info = source === "map" ? bpf.mapInfo(fd) : bpf.progInfo(fd);
  bpf.close(fd);
  if (info.btfId === 0) throw new BpfError(ENOENT, `${source} '${info.name}' has no BTF`);
  const types = btfOf(bpf, bpf.btfGetFdById(info.btfId), true);
  if (!("btfKeyTypeId" in info)) return { types, ids: undefined };
  const { btfKeyTypeId: key, btfValueTypeId: value } = info;
  const parts = { key: [key], value: [value], kv: [key, value], all: undefined };
  const part = (["key", "value", "kv", "all"] as const).find((p) => words.take(p)) ?? "kv";
  return { types, ids: parts[part] };
}

function btfOf(bpf: Bpf, fd: ReturnType<Bpf["btfGetFdById"]>, close: boolean): Btf {
  const { bytes, kernelBtf, name } = bpf.btfInfo(fd);
  if (close) bpf.close(fd);
  return kernelBtf && name !== "vmlinux" ? parseBtf(bytes, { base: parseBtf(bpf.kernelBtf()) }) : parseBtf(bytes);
}

interface Row {
  readonly id: number;
  readonly size: number;
  readonly prog_ids: number[];
  readonly map_ids: number[];
  readonly kernel: boolean;
  readonly name?: string;
  readonly pids?: readonly Holder[];
}

function listBtf(bpf: Bpf): Row[] {
  const refs = findRefs(bpf, false);
  const progs = new Map<number, number[]>();
  const maps = new Map<number, number[]>();
  const note = (to: Map<number, number[]>, btfId: number, id: number) => {
    if (btfId !== 0) to.set(btfId, [...(to.get(btfId) ?? []), id]);
  };
  forEach(bpf, KINDS.prog, (fd) => {
    const { btfId, id } = bpf.progInfo(fd);
    note(progs, btfId, id);
  });
  forEach(bpf, KINDS.map, (fd) => {
    const { btfId, id } = bpf.mapInfo(fd);
    note(maps, btfId, id);
  });
  const rows: Row[] = [];
  forEach(bpf, KINDS.btf, (fd) => {
    const { id, name, kernelBtf, bytes } = bpf.btfInfo(fd);
    const users = { prog_ids: progs.get(id) ?? [], map_ids: maps.get(id) ?? [] };
    const pids = refs.pids.get(`btf ${id}`);
    rows.push({
      id,
      size: bytes.length,
      ...users,
      kernel: kernelBtf,
      ...(name !== "" && { name }),
      ...(pids && { pids }),
    });
  });
  return rows;
}

function textOf(r: Row): string {
  const name = r.name ? `name ${r.kernel ? `[${r.name}]` : r.name}  ` : r.kernel ? "" : "name <anon>  ";
  const progs = r.prog_ids.length > 0 ? `  prog_ids ${r.prog_ids.join()}` : "";
  const maps = r.map_ids.length > 0 ? `  map_ids ${r.map_ids.join()}` : "";
  const pids = r.pids ? `\n\tpids ${r.pids.map(({ pid, comm }) => `${comm}(${pid})`).join(",")}` : "";
  return `${r.id}: ${name}size ${r.size}B${progs}${maps}${pids}\n`;
}

function formatWord(words: readonly string[]): string | undefined {
  if (words.length === 0) return undefined;
  const [word, format, ...extra] = words;
  if (word === "format" && format !== undefined && FORMATS.includes(format) && extra.length === 0) return format;
  throw new UsageError(`btf dump: '${words.join(" ")}' seen, 'format ${FORMATS.join("|")}' wanted`);
}
