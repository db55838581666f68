/** skep disasm: the instructions of an object file, with the C source lines that its BTF holds. */
import { Option } from "commander";
import { type DisasmOptions, type DisasmStyle, disasmInsn } from "../../src/isa/disasm.ts";
import { helperName } from "../../src/isa/helper_names.ts";
import { BPF_CALL, BPF_JMP, isLdImm64 } from "../../src/isa/opcodes.ts";
import { readFile } from "../../src/node/files.ts";
import { openSpec } from "../../src/object/open.ts";
import type { ObjectSpec, ProgSpec, Reloc } from "../../src/object/spec.ts";
import { colors, type Io, UsageError } from "../output.ts";
import { type CliCommand, collect } from "./command.ts";

interface Options {
  readonly style: DisasmStyle;
  readonly prog?: string[];
  readonly source: boolean;
  readonly json?: boolean;
}

export const disasm: CliCommand = {
  name: "disasm",
  description: "print the instructions of the programs in an object file",
  configure(command) {
    command
      .argument("<file>", "BPF object file")
      .option("--prog <name>", "only this program (may be repeated)", collect)
      .addOption(
        new Option("--style <style>", "syntax: as llvm-objdump, bpftool, the assembler or the conformance suite")
          .choices(["llvm", "kernel", "asm", "mnemonic"])
          .default("llvm"),
      )
      .option("--no-source", "leave the C source lines out");
  },
  run([file], options, io) {
    const { style, prog: names, source, json } = options as unknown as Options;
    const spec = openSpec(readFile(file as string), file as string);
    const unknown = names?.find((n) => !spec.progs.some((p) => p.name === n));
    if (unknown !== undefined) {
      const known = spec.progs.map((p) => p.name).join(", ");
      throw new UsageError(`${file}: program '${unknown}' seen, one of ${known || "none"} wanted`);
    }
    const progs = spec.progs.filter((p) => names === undefined || names.includes(p.name));
    const listings = progs.map((prog) => ({ prog, lines: listing(spec, prog, style) }));
    if (json) {
      const rows = listings.map(({ prog, lines }) => ({ prog: prog.name, sec: prog.section, insns: lines }));
      io.out(`${JSON.stringify(rows)}\n`);
    } else {
      for (const { prog, lines } of listings) print(prog, lines, source, io);
    }
    return 0;
  },
};

interface Line {
  /** Index of the (first) slot. */
  readonly idx: number;
  readonly disasm: string;
  /** Function that starts here. */
  readonly func?: string;
  /** What the loader will put here ("map blocked"), or the helper that is called. */
  readonly note?: string;
  /** "text @ file.c:12", where a line starts. */
  readonly source?: string;
}

function listing(spec: ObjectSpec, prog: ProgSpec, style: DisasmStyle): Line[] {
  const { insns } = prog;
  const sources = new Map(prog.lineInfo.map((l) => [l.insnIdx, l]));
  const relocs = new Map(prog.relocs.map((r) => [r.insnIdx, describe(spec, r)]));
  const funcs = new Map(prog.subprogs.map((s) => [s.start, s.name]));
  const options: DisasmOptions = { style, target: (slot) => targetName(prog, slot) };
  const lines: Line[] = [];
  for (let i = 0; i < insns.length; i += isLdImm64(insns, i) ? 2 : 1) {
    const [func, at] = [funcs.get(i), sources.get(i)];
    const note = relocs.get(i) ?? helperNote(prog, i, style);
    const text = at && spec.btf?.str(at.lineOff).trim();
    lines.push({
      idx: i,
      disasm: disasmInsn(insns, i, options),
      ...(func === undefined ? {} : { func }),
      ...(note === undefined ? {} : { note }),
      ...(at && text ? { source: `${text} @ ${baseName(spec.btf?.str(at.fileNameOff) ?? "")}:${at.line}` } : {}),
    });
  }
  return lines;
}

function targetName(prog: ProgSpec, slot: number): string {
  const sub = prog.subprogs.findLast((s) => s.start <= slot) ?? prog.subprogs[0];
  const off = 8 * (slot - sub.start);
  return off === 0 ? sub.name : `${sub.name}+0x${off.toString(16)}`;
}

function describe(spec: ObjectSpec, reloc: Reloc): string {
  if (reloc.kind === "extern" || reloc.kind === "kfunc") return `${reloc.kind} ${spec.externs[reloc.extern].name}`;
  const name = spec.maps[reloc.map].name;
  return reloc.kind === "map" ? `map ${name}` : `map ${name}[0]+${reloc.off}`;
}

/** The kernel style names helpers itself. */
function helperNote({ insns }: ProgSpec, i: number, style: DisasmStyle): string | undefined {
  const isHelper = insns.code[i] === (BPF_JMP | BPF_CALL) && insns.src[i] === 0;
  return isHelper && style !== "kernel" ? helperName(insns.imm[i]) : undefined;
}

function baseName(path: string): string {
  return path.split("/").pop() ?? path;
}

function print(prog: ProgSpec, lines: readonly Line[], source: boolean, io: Io): void {
  const c = colors(io);
  io.out(`${c.bold(prog.name)}: ${prog.section}, ${prog.insns.length} slots\n`);
  let before = "";
  for (const line of lines) {
    if (line.func !== undefined) io.out(`${c.cyan(`<${line.func}>:`)}\n`);
    if (source && line.source !== undefined && line.source !== before) io.out(`${c.dim(`; ${line.source}`)}\n`);
    before = line.source ?? before;
    const note = line.note === undefined ? "" : c.dim(`    ; ${line.note}`);
    io.out(`${String(line.idx).padStart(8)}:  ${line.disasm}${note}\n`);
  }
  io.out("\n");
}
