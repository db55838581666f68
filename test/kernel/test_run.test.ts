/** BPF_PROG_TEST_RUN of programs without packets, against Linux 6.18. */
import * as abi from "../../src/abi/bpf.ts";
import { type ProgCase, progTests } from "../support/progs.ts";

const u64 = (...n: number[]) => n.map((v) => `${v.toString(16).padStart(2, "0")}${"00".repeat(7)}`).join("");
const raw = abi.BPF_PROG_TYPE_RAW_TRACEPOINT;
const sys = { type: abi.BPF_PROG_TYPE_SYSCALL, flags: abi.BPF_F_SLEEPABLE };
const data = "00".repeat(64);

const cases: ProgCase[] = [
  {
    name: "raw tracepoint arguments",
    type: raw,
    asm: "r0 = *(u64 *)(r1 + 0)\nr2 = *(u64 *)(r1 + 8)\nr0 += r2\nexit",
    runs: [
      { ctxIn: u64(40, 2), plain: true },
      { ctxIn: u64(40, 2, 3, 4), plain: true },
      { ctxIn: u64(40), plain: true },
      { plain: true },
      { ctxIn: u64(...Array(12).fill(1)), plain: true },
      { ctxIn: u64(...Array(13).fill(1)), plain: true },
      { ctxIn: u64(1, 2), dataIn: data, plain: true },
      { ctxIn: u64(1, 2), repeat: 2, plain: true },
      { ctxIn: u64(1, 2), cpu: 1, plain: true },
      { ctxIn: u64(1, 2), cpu: 0, flags: 1, plain: true },
      { ctxIn: u64(1, 2), cpu: 4000, flags: 1, plain: true },
      { ctxIn: u64(1, 2), batchSize: 1, plain: true },
    ],
  },
  { name: "raw tracepoint without arguments", type: raw, asm: "r0 = 7\nexit", runs: [{ plain: true }] },
  {
    name: "syscall context",
    ...sys,
    asm: "r0 = *(u32 *)(r1 + 16)\nr0 += 1\nexit",
    runs: [
      { ctxIn: u64(1, 2, 3), plain: true },
      { ctxIn: u64(1, 2), plain: true },
      { plain: true },
      { ctxIn: u64(1, 2, 3), dataIn: data, plain: true },
      { ctxIn: u64(1, 2, 3), repeat: 2, plain: true },
      { ctxIn: u64(1, 2, 3), flags: 1, plain: true },
      { ctxIn: u64(1, 2, 3), cpu: 1, plain: true },
      { ctxIn: "00".repeat(65535), plain: true },
      { ctxIn: "00".repeat(65536), plain: true },
    ],
  },
  {
    name: "kprobes cannot be test-run",
    type: abi.BPF_PROG_TYPE_KPROBE,
    asm: "r0 = 0\nexit",
    runs: [{ ctxIn: u64(1), plain: true }],
  },
  {
    name: "sock_ops cannot be test-run",
    type: abi.BPF_PROG_TYPE_SOCK_OPS,
    asm: "r0 = 1\nexit",
    runs: [{ dataIn: data }],
  },
  {
    name: "cgroup_sock cannot be test-run",
    type: abi.BPF_PROG_TYPE_CGROUP_SOCK,
    asm: "r0 = 1\nexit",
    expectedAttachType: 2,
    runs: [{ dataIn: data }],
  },
];

progTests("test runs without packets", new URL("test_run.json", import.meta.url), cases);
