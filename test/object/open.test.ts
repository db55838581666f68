import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { BpfError } from "../../src/abi/errno.ts";
import { BTF_KIND_DATASEC, BTF_KIND_FUNC, BTF_KIND_VAR } from "../../src/btf/kinds.ts";
import { openSpec } from "../../src/object/open.ts";
import { fixtureBytes, fixtureSpec, mapOf, progOf } from "./fixture.ts";

describe("programs", () => {
  const spec = fixtureSpec("programs");

  test("license, version, name", () => {
    expect([spec.license, spec.kernVersion, spec.name]).toEqual(["GPL", 0x60000, "programs"]);
  });

  test.each([
    {
      name: "first",
      section: "xdp",
      type: abi.BPF_PROG_TYPE_XDP,
      attach: abi.BPF_XDP,
      flags: 0,
      target: "",
      autoload: true,
    },
    {
      name: "second",
      section: "xdp.frags",
      type: abi.BPF_PROG_TYPE_XDP,
      attach: abi.BPF_XDP,
      flags: abi.BPF_F_XDP_HAS_FRAGS,
      target: "",
      autoload: true,
    },
    {
      name: "third",
      section: "tc/ingress",
      type: abi.BPF_PROG_TYPE_SCHED_CLS,
      attach: abi.BPF_TCX_INGRESS,
      flags: 0,
      target: "",
      autoload: false,
    },
    {
      name: "probe",
      section: "kprobe/do_unlinkat+8",
      type: abi.BPF_PROG_TYPE_KPROBE,
      attach: 0,
      flags: 0,
      target: "do_unlinkat+8",
      autoload: true,
    },
    {
      name: "sleeps",
      section: "fentry.s/bpf_fentry_test1",
      type: abi.BPF_PROG_TYPE_TRACING,
      attach: abi.BPF_TRACE_FENTRY,
      flags: abi.BPF_F_SLEEPABLE,
      target: "bpf_fentry_test1",
      autoload: true,
    },
    { name: "nowhere", section: "no_such_section", type: 0, attach: 0, flags: 0, target: "", autoload: true },
  ])("section of $name", ({ name, section, type, attach, flags, target, autoload }) => {
    const p = progOf(spec, name);
    expect(p).toMatchObject({
      section,
      type,
      expectedAttachType: attach,
      progFlags: flags,
      attachTarget: target,
      autoload,
    });
  });

  test.each([
    { name: "first", subprogs: "first add_global twice*" },
    { name: "second", subprogs: "second hidden_add*" },
    { name: "third", subprogs: "third each* twice*" },
  ])("$name is linked with what it reaches (* static)", ({ name, subprogs }) => {
    const p = progOf(spec, name);
    expect(p.subprogs.map((s) => s.name + (s.linkage === "static" ? "*" : "")).join(" ")).toBe(subprogs);
    expect(p.funcInfo.map((f) => f.insnIdx)).toEqual(p.subprogs.map((s) => s.start));
    expect(p.funcInfo.map((f) => spec.btf!.nameOf(f.typeId))).toEqual(p.subprogs.map((s) => s.name));
    expect(p.lineInfo.at(-1)!.insnIdx).toBeLessThan(p.insns.length);
  });

  test("a callback is a function address", () => {
    const { insns, subprogs } = progOf(spec, "third");
    const at = insns.src.findIndex((src, i) => insns.code[i] === 0x18 && src === abi.BPF_PSEUDO_FUNC);
    expect(at + insns.imm[at] + 1).toBe(subprogs[1].start);
  });

  test("global data maps are named and flagged as libbpf does", () => {
    const rows = spec.maps.map((m) => [m.name, m.section, m.valueSize, m.mapFlags]);
    expect(rows).toEqual([
      ["programs.rodata", ".rodata", 24, abi.BPF_F_RDONLY_PROG | abi.BPF_F_MMAPABLE],
      ["programs.data", ".data", 8, abi.BPF_F_MMAPABLE],
      [".data.counters", ".data.counters", 4, abi.BPF_F_MMAPABLE],
      ["programs.bss", ".bss", 12, abi.BPF_F_MMAPABLE],
    ]);
    expect(spec.maps[1].global!.bytes[0]).toBe(41);
  });

  test("the BTF knows sizes and offsets of variables, and hidden functions are static", () => {
    const btf = spec.btf!;
    const rodata = btf.type(btf.byName(".rodata", BTF_KIND_DATASEC));
    if (rodata.kind !== BTF_KIND_DATASEC) throw new Error("no DATASEC");
    expect(rodata.size).toBe(24);
    expect(rodata.vars.map((v) => [btf.nameOf(v.type), v.offset])).toEqual([
      ["threshold", 0],
      ["limits", 4],
      ["ports", 16],
    ]);
    expect(btf.vlen(btf.byName("hidden_add", BTF_KIND_FUNC))).toBe(0);
    expect(btf.vlen(btf.byName("add_global", BTF_KIND_FUNC))).toBe(1);
  });
});

describe("maps", () => {
  const spec = fixtureSpec("maps");

  test.each([
    {
      name: "flows",
      type: abi.BPF_MAP_TYPE_HASH,
      keySize: 8,
      valueSize: 16,
      maxEntries: 128,
      mapFlags: abi.BPF_F_NO_PREALLOC,
    },
    { name: "counters", type: abi.BPF_MAP_TYPE_PERCPU_ARRAY, keySize: 4, valueSize: 8, maxEntries: 4, keyTypeId: 0 },
    { name: "events", type: abi.BPF_MAP_TYPE_RINGBUF, keySize: 0, valueSize: 0, maxEntries: 8192 },
    { name: "bloom", type: abi.BPF_MAP_TYPE_BLOOM_FILTER, keySize: 0, valueSize: 4, mapExtra: 3n },
    { name: "pinned", type: abi.BPF_MAP_TYPE_ARRAY, pinning: "by_name" },
    { name: "jobs", type: abi.BPF_MAP_TYPE_QUEUE, keySize: 0, valueSize: 4 },
  ])("$name", ({ name, ...wanted }) => {
    expect(mapOf(spec, name)).toMatchObject(wanted);
  });

  test("inner maps and initial slots", () => {
    const outer = mapOf(spec, "outer");
    expect(outer.inner).toMatchObject({
      type: abi.BPF_MAP_TYPE_ARRAY,
      keySize: 4,
      valueSize: 4,
      maxEntries: 1,
      index: -1,
    });
    expect(outer.initSlots).toEqual([
      { index: 0, kind: "map", map: mapOf(spec, "inner_a").index },
      { index: 2, kind: "map", map: mapOf(spec, "inner_b").index },
    ]);
    expect(mapOf(spec, "jumps").initSlots).toEqual([{ index: 1, kind: "prog", prog: "target" }]);
  });
});

describe("externs", () => {
  const spec = fixtureSpec("externs");

  test("places of .kconfig variables: large alignment first, then size, then name", () => {
    const rows = spec.externs.flatMap((e) => (e.kind === "kconfig" ? [`${e.off} ${e.type}${e.size} ${e.name}`] : []));
    expect(rows).toEqual([
      "0 int8 CONFIG_HZ",
      "8 tristate4 CONFIG_MODULE_THING",
      "12 int4 LINUX_KERNEL_VERSION",
      "16 int2 CONFIG_MISSING",
      "18 bool1 CONFIG_BPF",
      "19 char1 CONFIG_LETTER",
      "20 bool1 LINUX_HAS_BPF_COOKIE",
      "21 string6 CONFIG_HOSTNAME",
    ]);
    expect(spec.maps.map((m) => m.name)).toEqual(["externs.kconfig"]);
  });

  test("symbols", () => {
    const rows = spec.externs.flatMap((e) => (e.kind === "ksym" ? [[e.name, e.func, e.weak, e.typeId > 0]] : []));
    expect(rows).toEqual([
      ["bpf_no_such_kfunc", true, true, true],
      ["bpf_task_from_pid", true, false, true],
      ["bpf_task_release", true, false, true],
      ["weak_symbol", false, true, false],
    ]);
  });

  test("in the BTF they are allocated variables, functions replaced by a dummy", () => {
    const btf = spec.btf!;
    const ksyms = btf.type(btf.byName(".ksyms", BTF_KIND_DATASEC));
    if (ksyms.kind !== BTF_KIND_DATASEC) throw new Error("no DATASEC");
    expect(ksyms.size).toBe(16);
    expect(ksyms.vars.map((v) => v.offset)).toEqual([0, 4, 8, 12]);
    for (const v of ksyms.vars) expect([btf.kind(v.type), btf.extra(v.type, 0)]).toEqual([BTF_KIND_VAR, 1]);
    expect(ksyms.vars.filter((v) => btf.nameOf(v.type) === "dummy_ksym").length).toBe(3);
  });
});

test("struct_ops maps hold programs; what no created map uses is not loaded by itself", () => {
  const spec = fixtureSpec("struct_ops");
  expect(mapOf(spec, "linked")).toMatchObject({
    type: abi.BPF_MAP_TYPE_STRUCT_OPS,
    mapFlags: abi.BPF_F_LINK,
    autocreate: true,
  });
  expect(mapOf(spec, "optional")).toMatchObject({ mapFlags: 0, autocreate: false });
  const ops = mapOf(spec, "linked").structOps!;
  expect(ops.typeName).toBe("tcp_congestion_ops");
  expect([...ops.funcs]).toEqual([
    ["ssthresh", "ops_ssthresh"],
    ["undo_cwnd", "ops_undo_cwnd"],
    ["cong_avoid", "ops_cong_avoid"],
  ]);
  expect(progOf(spec, "ops_ssthresh").autoload).toBe(true);
});

/** What libbpf gave Linux for the same objects: instructions, func_info and line_info. */
describe("linking agrees with libbpf", () => {
  const rows = new TextDecoder()
    .decode(fixtureBytes("object/libbpf.jsonl"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { file: string; prog: string; insns: string; func: string; line: string });

  test.each(rows.filter((r) => r.file !== "core_relo.o"))("$file $prog", ({ file, prog, insns, func, line }) => {
    const p = progOf(fixtureSpec(file.replace(".o", "")), prog);
    const wanted = hexWords(insns, 16);
    const patched = new Set(p.relocs.flatMap((r) => [r.insnIdx, r.insnIdx + (r.kind === "kfunc" ? 0 : 1)]));
    const seen = wanted.map((word, i) => (patched.has(i) ? word : insnHex(p.insns, i)));
    expect(seen).toEqual(wanted);
    expect(p.insns.length).toBe(wanted.length);
    expect(p.funcInfo.flatMap((f) => [f.insnIdx, f.typeId])).toEqual(le32(func));
    const lines = p.lineInfo.flatMap((l) => [l.insnIdx, l.fileNameOff, l.lineOff, (l.line << 10) | l.column]);
    expect(lines).toEqual(le32(line));
    for (const r of p.relocs) if (r.kind === "map_value") expect(r.off).toBe(le32(insns)[2 * r.insnIdx + 3]);
  });
});

describe("bad objects", () => {
  test.each([
    { file: "bad/no_license.o", check: (s: ReturnType<typeof openSpec>) => expect(s.license).toBeUndefined() },
    { file: "bad/unknown_section.o", check: (s: ReturnType<typeof openSpec>) => expect(s.progs[0].type).toBe(0) },
  ])("$file opens", ({ file, check }) => check(openSpec(fixtureBytes(file), file)));

  const bytes = fixtureBytes("object/maps.o");

  test("truncated anywhere: a value or an error that names the file", () => {
    for (let n = 0; n < bytes.length; n += 13) expectValueOrError(bytes.slice(0, n));
  });

  test("changed bytes: a value or an error, never a crash or a hang", () => {
    for (const name of ["programs", "maps", "externs", "struct_ops"]) {
      const good = fixtureBytes(`object/${name}.o`);
      const edit = fc.record({
        at: fc.nat(good.length - 1),
        value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
      });
      fc.assert(
        fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
          const copy = good.slice();
          for (const { at, value } of edits) copy[at] = value;
          expectValueOrError(copy);
        }),
        { numRuns: 250 },
      );
    }
  });
});

function expectValueOrError(input: Uint8Array): void {
  try {
    const spec = openSpec(input, "fuzz.o");
    for (const p of spec.progs) linkOrError(() => p.insns);
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    expect(e.message).toMatch(/^fuzz\.o: /);
  }
}

function linkOrError(run: () => unknown): void {
  try {
    run();
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
  }
}

function hexWords(hex: string, digits: number): string[] {
  return hex.match(new RegExp(`.{${digits}}`, "g")) ?? [];
}

function le32(hex: string): number[] {
  return hexWords(hex, 8).map((w) => Number.parseInt(w.match(/../g)!.reverse().join(""), 16));
}

function insnHex(insns: ReturnType<typeof progOf>["insns"], i: number): string {
  const b = new DataView(new ArrayBuffer(8));
  b.setUint8(0, insns.code[i]);
  b.setUint8(1, (insns.src[i] << 4) | insns.dst[i]);
  b.setInt16(2, insns.off[i], true);
  b.setInt32(4, insns.imm[i], true);
  return [...new Uint8Array(b.buffer)].map((x) => x.toString(16).padStart(2, "0")).join("");
}
