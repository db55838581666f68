/** Statistics and streams as typed commands, on skep and on the running Linux. */
import { expect } from "vitest";
import * as abi from "../../../src/abi/bpf.ts";
import { ENOMEM } from "../../../src/abi/errno.ts";
import { parseBtf } from "../../../src/btf/btf.ts";
import { BTF_KIND_FUNC } from "../../../src/btf/kinds.ts";
import { assemble } from "../../../src/isa/assemble.ts";
import { encode } from "../../../src/isa/codec.ts";
import type { Bpf, Fd } from "../../../src/kernel/bpf.ts";
import { progDigest } from "../../../src/kernel/prog_tag.ts";
import { type KernelName, onKernels } from "../../support/kernels.ts";

const PACKET = new Uint8Array(64);

function xdp(bpf: Bpf): Fd {
  const insns = encode(assemble("r0 = 2\nexit").insns);
  return bpf.progLoad({ progType: abi.BPF_PROG_TYPE_XDP, insns, license: "GPL" }).fd;
}

onKernels("runs are counted while an fd of BPF_ENABLE_STATS is open", (bpf) => {
  const prog = xdp(bpf);
  const runs = () => bpf.progInfo(prog).runCnt;
  const run = (repeat: number) => bpf.progTestRun(prog, { dataIn: PACKET, repeat });
  // Someone else on the machine may have them on.
  const before = runs();
  const [one, two] = [bpf.enableStats(), bpf.enableStats()];
  run(5);
  expect(runs()).toBe(before + 5n);
  expect(bpf.progInfo(prog).runTimeNs).toBeGreaterThan(0n);
  expect(bpf.fdInfo(prog)["run_cnt"]).toBe(`${runs()}`);
  bpf.close(one);
  run(3);
  expect(runs()).toBe(before + 8n);
  bpf.close(two);
  bpf.close(prog);
});

onKernels("without one they are not", (bpf, kernel) => {
  const prog = xdp(bpf);
  bpf.progTestRun(prog, { dataIn: PACKET, repeat: 5 });
  const { runCnt, runTimeNs } = bpf.progInfo(prog);
  if (kernel === "skep") expect([runCnt, runTimeNs]).toEqual([0n, 0n]);
  bpf.close(prog);
});

/** A program that writes its format, with r3 and r4 as given, to a stream, and gives what the kernel function gave. */
function writer(bpf: Bpf, format: string, asm: string): { prog: Fd; map: Fd } {
  const value = new Uint8Array(256);
  value.set(new TextEncoder().encode(format));
  const map = bpf.mapCreate({
    mapType: abi.BPF_MAP_TYPE_ARRAY,
    keySize: 4,
    valueSize: value.length,
    maxEntries: 1,
    mapFlags: abi.BPF_F_RDONLY_PROG,
  });
  bpf.mapUpdateElem(map, new Uint8Array(4), value);
  bpf.mapFreeze(map);
  const { insns } = assemble(asm, { symbol: () => ({ src: abi.BPF_PSEUDO_MAP_VALUE, imm: map }) });
  const bytes = encode(insns);
  const call = bytes.findIndex((code, at) => at % 8 === 0 && code === CALL);
  bytes[call + 1] = abi.BPF_PSEUDO_KFUNC_CALL << 4;
  new DataView(bytes.buffer).setUint32(call + 4, kfuncId(bpf), true);
  const { fd: prog } = bpf.progLoad({
    progType: abi.BPF_PROG_TYPE_SYSCALL,
    insns: bytes,
    license: "GPL",
    progFlags: abi.BPF_F_SLEEPABLE,
  });
  return { prog, map };
}

const CALL = 0x85;

function kfuncId(bpf: Bpf): number {
  return parseBtf(bpf.kernelBtf()).byName("bpf_stream_vprintk_impl", BTF_KIND_FUNC);
}

/** One argument, 42. */
const ARGUMENT = "r3 = r10\nr3 += -8\nr4 = 8";
/** args: what r3 (the arguments) and r4 (their bytes) are. */
const print = (stream: number, args = ARGUMENT): string => `
  r1 = 42
  *(u64 *)(r10 - 8) = r1
  r1 = ${stream}
  r2 = map[format][0] ll
  ${args}
  r5 = 0
  call 1
  exit`;

const read = (bpf: Bpf, prog: Fd, stream: number, max = 512) =>
  new TextDecoder().decode(bpf.progStreamRead(prog, stream, max));

/** What the kernel function gives, and what is then in stdout and stderr. */
const PRINTS: readonly [name: string, format: string, asm: string, ret: number, stdout: string, stderr: string][] = [
  ["stdout", "hello\n", print(1), 0, "hello\n", ""],
  ["stderr", "hello\n", print(2), 0, "", "hello\n"],
  ["an argument", "n=%d", print(1), 0, "n=42", ""],
  ["too few arguments", "%d %d", print(1), -22, "", ""],
  ["no such stream", "hello", print(3), -2, "", ""],
];

/** Pages for streams are taken without locks, and some machines never have one. */
function hasNoMemory(kernel: KernelName, ret: number): boolean {
  const none = kernel === "linux" && ret === -ENOMEM;
  if (none) console.log("not compared: this Linux gives streams no memory (-ENOMEM)");
  return none;
}

for (const [name, format, asm, ret, stdout, stderr] of PRINTS) {
  onKernels(`bpf_stream_printk: ${name}`, (bpf, kernel) => {
    const { prog, map } = writer(bpf, format, asm);
    const got = bpf.progTestRun(prog).retval | 0;
    if (hasNoMemory(kernel, got)) return;
    expect(got).toBe(ret);
    expect([read(bpf, prog, 1), read(bpf, prog, 2)]).toEqual([stdout, stderr]);
    expect([read(bpf, prog, 1), read(bpf, prog, 2)]).toEqual(["", ""]);
    bpf.close(prog);
    bpf.close(map);
  });
}

onKernels("streams are read in pieces, and keep what comes behind", (bpf, kernel) => {
  const { prog, map } = writer(bpf, "0123456789", print(1));
  if (hasNoMemory(kernel, bpf.progTestRun(prog).retval | 0)) return;
  expect(read(bpf, prog, 1, 4)).toBe("0123");
  bpf.progTestRun(prog);
  expect(read(bpf, prog, 1, 8)).toBe("45678901");
  expect(read(bpf, prog, 1)).toBe("23456789");
  bpf.close(prog);
  bpf.close(map);
});

onKernels("a stream holds 100,000 bytes", (bpf, kernel) => {
  const { prog, map } = writer(bpf, "x".repeat(250), print(1));
  let ret = 0;
  let runs = 0;
  for (; ret === 0 && runs < 1000; runs++) ret = bpf.progTestRun(prog).retval | 0;
  if (hasNoMemory(kernel, ret)) return;
  expect([ret, runs]).toEqual([-28, 401]);
  bpf.close(prog);
  bpf.close(map);
});

onKernels("a map for one program alone", (bpf) => {
  const using = (fd: Fd, ret: number) =>
    encode(
      assemble(`r1 = map[m] ll\nr0 = ${ret}\nexit`, { symbol: () => ({ src: abi.BPF_PSEUDO_MAP_FD, imm: fd }) }).insns,
    );
  const load = (insns: Uint8Array) => bpf.progLoad({ progType: abi.BPF_PROG_TYPE_XDP, insns, license: "GPL" }).fd;
  // The fd does not count for the hash.
  const exclProgHash = progDigest(using(0 as Fd, 2));
  const array = { mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 };
  const map = bpf.mapCreate({ ...array, exclProgHash });
  const prog = load(using(map, 2));
  expect(() => load(using(map, 1))).toThrow("EACCES");
  bpf.close(prog);
  bpf.close(map);
});
