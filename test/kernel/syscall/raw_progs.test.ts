/** Calls of bpf(2) as bytes, on skep and on the running Linux. Loading programs and BTF, test runs. */
import { BTF, insnsOf, PASS } from "../../../conformance/raw/world.ts";
import { BTF_LOAD, PROG_LOAD, TEST_RUN } from "../../../src/abi/attr.ts";
import * as abi from "../../../src/abi/bpf.ts";
import { cString } from "../../../src/abi/cstring.ts";
import { bytesOf, rawCalls, row, type Scene, text } from "./table.ts";

const VALUE = [1, 2, 3, 4, 5, 6, 7, 8];

const load = { cmd: abi.BPF_PROG_LOAD, layout: PROG_LOAD } as const;
const BAD = insnsOf("r0 = r5\nexit");
const SAYS = "R5 !read_ok";

const program = (s: Scene, insns = PASS) => ({
  prog_type: abi.BPF_PROG_TYPE_XDP,
  insn_cnt: 2,
  insns: s.buf("i", insns),
  license: s.buf("l", cString("GPL")),
});
const bad = (s: Scene) => program(s, BAD);

rawCalls("BPF_PROG_LOAD", [
  row({
    name: "two instructions",
    ...load,
    members: (s) => program(s),
    ret: "fd",
  }),
  row({
    name: "none",
    ...load,
    members: (s) => ({ prog_type: 6, insns: s.buf("i", PASS), license: s.buf("l", cString("GPL")) }),
    ret: "E2BIG",
  }),
  row({
    name: "in no memory",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: 0x10, license: s.buf("l") }),
    ret: "EFAULT",
  }),
  row({
    name: "no license",
    ...load,
    members: (s) => ({ prog_type: 6, insn_cnt: 2, insns: s.buf("i", PASS) }),
    ret: "EFAULT",
  }),
  row({
    name: "an unknown type",
    ...load,
    members: (s) => ({ prog_type: 99, insn_cnt: 2, insns: s.buf("i", PASS), license: s.buf("l") }),
    ret: "EINVAL",
  }),
  row({
    name: "unknown flags",
    ...load,
    members: (s) => ({ ...program(s), prog_flags: 1 << 20 }),
    ret: "EINVAL",
  }),
  row({
    name: "a bad name",
    ...load,
    members: (s) => ({ ...program(s), prog_name: "a-b" }),
    ret: "EINVAL",
  }),
  row({
    name: "refused, with a log",
    ...load,
    members: (s) => ({ ...bad(s), log_level: 1, log_size: 512, log_buf: s.buf("log") }),
    ret: "EACCES",
    out: (s, a) => [text(s.buf("log")).includes(SAYS), a.log_true_size === text(s.buf("log")).length + 1],
    is: [true, true],
  }),
  row({
    name: "refused, with a log that is cut",
    ...load,
    members: (s) => ({ ...bad(s), log_level: 1, log_size: 64, log_buf: s.buf("log") }),
    ret: "ENOSPC",
    out: (s, a) => [text(s.buf("log")).length, a.log_true_size > 64],
    is: [63, true],
  }),
  row({
    name: "taken, with a log that is cut",
    ...load,
    members: (s) => ({ ...program(s), log_level: 2, log_size: 16, log_buf: s.buf("log") }),
    ret: "ENOSPC",
    out: (s) => text(s.buf("log")).length,
    is: 15,
  }),
  row({
    name: "the length of the log alone",
    ...load,
    members: (s) => ({ ...bad(s), log_level: 1 }),
    ret: "EACCES",
    out: (_s, a) => a.log_true_size > 20,
    is: true,
  }),
  row({
    name: "an attr without log_true_size",
    ...load,
    size: 140,
    members: (s) => ({ ...bad(s), log_level: 1 }),
    ret: "EACCES",
    out: (_s, a) => a.log_true_size,
    is: 0,
  }),
  row({
    name: "a log buffer without a level",
    ...load,
    members: (s) => ({ ...program(s), log_size: 512, log_buf: s.buf("log") }),
    ret: "EINVAL",
  }),
  row({
    name: "a log buffer without a size",
    ...load,
    members: (s) => ({ ...program(s), log_level: 1, log_buf: s.buf("log") }),
    ret: "EINVAL",
  }),
  row({
    name: "an unknown log level",
    ...load,
    members: (s) => ({ ...program(s), log_level: 16 }),
    ret: "EINVAL",
  }),
  row({
    name: "a map that is bound",
    ...load,
    members: (s) => ({
      ...program(s),
      fd_array: s.buf("f", new Uint8Array(Int32Array.of(s.fd("hash")).buffer)),
      fd_array_cnt: 1,
    }),
    ret: "fd",
  }),
  row({
    name: "a program in fd_array",
    ...load,
    members: (s) => ({
      ...program(s),
      fd_array: s.buf("f", new Uint8Array(Int32Array.of(s.fd("xdp")).buffer)),
      fd_array_cnt: 1,
    }),
    ret: "EINVAL",
  }),
  row({
    name: "fd_array in no memory",
    ...load,
    members: (s) => ({ ...program(s), fd_array: 0x10, fd_array_cnt: 1 }),
    ret: "EFAULT",
  }),
  row({
    name: "attach_prog_fd of a map",
    ...load,
    members: (s) => ({
      prog_type: 26,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      attach_prog_fd: s.fd("hash"),
    }),
    ret: "EINVAL",
  }),
  row({
    name: "attach_btf_obj_fd of a program's BTF",
    ...load,
    members: (s) => ({
      prog_type: 26,
      insn_cnt: 2,
      insns: s.buf("i", PASS),
      license: s.buf("l"),
      attach_prog_fd: s.fd("btf"),
    }),
    ret: "ENOTSUPP",
  }),
]);

const btfLoad = { cmd: abi.BPF_BTF_LOAD, layout: BTF_LOAD } as const;

rawCalls("BPF_BTF_LOAD", [
  row({ name: "a BTF", ...btfLoad, members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length }), ret: "fd" }),
  row({
    name: "a byte short",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length - 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "a byte long",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length + 1 }),
    ret: "EINVAL",
  }),
  row({ name: "in no memory", ...btfLoad, members: () => ({ btf: 0x10, btf_size: BTF.length }), ret: "EFAULT" }),
  row({
    name: "more than 16 MiB",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b"), btf_size: (1 << 24) + 1 }),
    ret: "E2BIG",
  }),
  row({
    name: "unknown flags",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length, btf_flags: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "no token",
    ...btfLoad,
    members: (s) => ({ btf: s.buf("b", BTF), btf_size: BTF.length, btf_flags: abi.BPF_F_TOKEN_FD, btf_token_fd: -1 }),
    ret: "EBADF",
  }),
  row({
    name: "refused, with a log",
    ...btfLoad,
    members: (s) => ({
      btf: s.buf("b", BTF.with(0, 0)),
      btf_size: BTF.length,
      btf_log_level: 1,
      btf_log_size: 512,
      btf_log_buf: s.buf("log"),
    }),
    ret: "EINVAL",
    out: (s, a) => [text(s.buf("log")).includes("magic"), a.btf_log_true_size === text(s.buf("log")).length + 1],
    is: [true, true],
  }),
]);

const testRun = { cmd: abi.BPF_PROG_TEST_RUN, layout: TEST_RUN } as const;

rawCalls("BPF_PROG_TEST_RUN", [
  row({
    name: "a packet",
    ...testRun,
    members: (s) => ({
      prog_fd: s.fd("xdp"),
      data_in: s.buf("d", VALUE),
      data_size_in: 20,
      data_out: s.buf("o"),
      data_size_out: 64,
    }),
    ret: 0,
    out: (s, a) => [a.retval, a.data_size_out, bytesOf(s.buf("o"), 0, 8)],
    is: [2, 20, VALUE],
  }),
  row({
    name: "no room given: all of it",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("xdp"), data_in: s.buf("d", VALUE), data_size_in: 20, data_out: s.buf("o") }),
    ret: 0,
    out: (s, a) => [a.data_size_out, bytesOf(s.buf("o"), 0, 8)],
    is: [20, VALUE],
  }),
  row({
    name: "too little room",
    ...testRun,
    members: (s) => ({
      prog_fd: s.fd("xdp"),
      data_in: s.buf("d", VALUE),
      data_size_in: 20,
      data_out: s.buf("o"),
      data_size_out: 4,
    }),
    ret: "ENOSPC",
    out: (s, a) => [a.retval, a.data_size_out, bytesOf(s.buf("o"), 0, 8)],
    is: [2, 20, [1, 2, 3, 4, 0, 0, 0, 0]],
  }),
  row({
    name: "13 bytes",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("xdp"), data_in: s.buf("d"), data_size_in: 13 }),
    ret: "EINVAL",
  }),
  row({
    name: "a context without its size",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("xdp"), ctx_in: s.buf("c") }),
    ret: "EINVAL",
  }),
  row({
    name: "a context that comes back",
    ...testRun,
    members: (s) => ({
      prog_fd: s.fd("cls"),
      data_in: s.buf("d"),
      data_size_in: 64,
      ctx_in: s.buf("c", new Uint8Array(192).with(8, 7)),
      ctx_size_in: 192,
      ctx_out: s.buf("x"),
      ctx_size_out: 192,
    }),
    ret: 0,
    out: (s, a) => [a.ctx_size_out, s.buf("x")[8]],
    is: [192, 7],
  }),
  row({
    name: "a raw tracepoint",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("raw_tp"), ctx_in: s.buf("c"), ctx_size_in: 16 }),
    ret: 0,
    out: (_s, a) => a.retval,
    is: 2,
  }),
  row({
    name: "a raw tracepoint with data",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("raw_tp"), data_in: s.buf("c"), data_size_in: 16 }),
    ret: "EINVAL",
  }),
  row({
    name: "a syscall program",
    ...testRun,
    members: (s) => ({ prog_fd: s.fd("syscall"), ctx_in: s.buf("c"), ctx_size_in: 16 }),
    ret: 0,
    out: (_s, a) => a.retval,
    is: 2,
  }),
]);
