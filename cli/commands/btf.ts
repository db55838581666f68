/** skep btf: the types of an object file or of a kernel. Takes bpftool's words too: `btf dump file FILE format c`. */
import { Option } from "commander";
import { dumpC } from "../../src/btf/dump_c.ts";
import { dumpJson, dumpRaw } from "../../src/btf/dump_raw.ts";
import { readBtfFile } from "../../src/node/kernel_btf.ts";
import { UsageError } from "../output.ts";
import type { CliCommand } from "./command.ts";

interface Options {
  readonly format?: string;
  readonly base?: string;
  readonly json?: boolean;
}

const FORMATS = ["c", "raw", "json"];

export const btf: CliCommand = {
  name: "btf",
  description: "print types: btf dump FILE [--format c|raw|json]",
  configure(command) {
    command
      .argument("<words...>", "dump FILE, or as bpftool: dump file FILE [format c|raw]")
      .addOption(new Option("-f, --format <format>", "default: raw").choices(FORMATS))
      .option("-B, --base <file>", "base BTF of split BTF (a module's: that of vmlinux)");
  },
  run([words], options, io) {
    const { base, json } = options as Options;
    const [verb, ...rest] = words as string[];
    if (verb !== "dump") throw new UsageError(`btf: '${verb}' seen, 'dump' wanted`);
    if (rest[0] === "file" && rest.length > 1) rest.shift();
    const [file, ...more] = rest;
    if (file === undefined) throw new UsageError("btf dump: a file wanted");
    const format = (options as Options).format ?? formatWord(more) ?? (json ? "json" : "raw");
    const types = readBtfFile(file, base === undefined ? undefined : readBtfFile(base));
    const text = format === "c" ? dumpC(types) : format === "json" ? dumpJson(types) : dumpRaw(types);
    io.out(text.endsWith("\n") ? text : `${text}\n`);
    return 0;
  },
};

function formatWord(words: readonly string[]): string | undefined {
  if (words.length === 0) return undefined;
  const [word, format, ...extra] = words;
  if (word === "format" && format !== undefined && FORMATS.includes(format) && extra.length === 0) return format;
  throw new UsageError(`btf dump: '${words.join(" ")}' seen, 'format ${FORMATS.join("|")}' wanted`);
}
