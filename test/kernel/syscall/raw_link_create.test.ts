/** Calls of bpf(2) as bytes, on skep and on the running Linux. BPF_LINK_CREATE: what is behind the first 16 bytes. */
import { PASS } from "../../../conformance/raw/world.ts";
import { LINK_CREATE } from "../../../src/abi/attr.ts";
import * as abi from "../../../src/abi/bpf.ts";
import { cString } from "../../../src/abi/cstring.ts";
import { EOPNOTSUPP } from "../../../src/abi/errno.ts";
import { parseBtf } from "../../../src/btf/btf.ts";
import { BTF_KIND_FUNC } from "../../../src/btf/kinds.ts";
import { assemble } from "../../../src/isa/assemble.ts";
import { encode } from "../../../src/isa/codec.ts";
import type { Bpf, Fd } from "../../../src/kernel/bpf.ts";
import { u32, u64 } from "../../support/kernel.ts";
import { whyNotLinux, withLinux } from "../../support/kernels.ts";
import { rawCalls, row, type Scene } from "./table.ts";

const cmd = abi.BPF_LINK_CREATE;
const NO_DEVICE = 0x7ffffff0;
const ZERO = encode(assemble("r0 = 0\nexit").insns);

rawCalls("links to devices that are not there, and of programs that do not fit", [
  row({
    name: "XDP",
    cmd,
    layout: LINK_CREATE.mprog,
    members: (s) => ({ prog_fd: s.fd("xdp"), attach_type: abi.BPF_XDP, target_fd: NO_DEVICE }),
    ret: "EINVAL",
  }),
  row({
    name: "XDP, unknown flags",
    cmd,
    layout: LINK_CREATE.mprog,
    members: (s) => ({ prog_fd: s.fd("xdp"), attach_type: abi.BPF_XDP, target_fd: NO_DEVICE, flags: 1 << 10 }),
    ret: "EINVAL",
  }),
  row({
    name: "tcx",
    cmd,
    layout: LINK_CREATE.mprog,
    members: (s) => ({ prog_fd: s.fd("cls"), attach_type: abi.BPF_TCX_INGRESS, target_fd: NO_DEVICE }),
    ret: "ENODEV",
  }),
  row({
    name: "tcx for XDP",
    cmd,
    layout: LINK_CREATE.mprog,
    members: (s) => ({ prog_fd: s.fd("xdp"), attach_type: abi.BPF_TCX_INGRESS, target_fd: NO_DEVICE }),
    ret: "EINVAL",
  }),
  row({
    name: "an unknown attach type",
    cmd,
    layout: LINK_CREATE.mprog,
    members: (s) => ({ prog_fd: s.fd("xdp"), attach_type: 999 }),
    ret: "EINVAL",
  }),
  row({
    name: "a map",
    cmd,
    layout: LINK_CREATE.mprog,
    members: (s) => ({ prog_fd: s.fd("hash"), attach_type: abi.BPF_XDP }),
    ret: "EINVAL",
  }),
  row({
    name: "no program",
    cmd,
    layout: LINK_CREATE.mprog,
    members: () => ({ prog_fd: 0x7fffffff, attach_type: abi.BPF_XDP }),
    ret: "EBADF",
  }),
]);

function loadKprobe(bpf: Bpf): Fd {
  const expectedAttachType = abi.BPF_TRACE_KPROBE_MULTI;
  return bpf.progLoad({ progType: abi.BPF_PROG_TYPE_KPROBE, insns: ZERO, license: "GPL", expectedAttachType }).fd;
}

const kprobe = (s: Scene) => s.keep("kprobe", loadKprobe(s.kernel.bpf));

const multi = { cmd, layout: LINK_CREATE.kprobe_multi, before: kprobe } as const;
const head = (s: Scene) => ({ prog_fd: s.fd("kprobe"), attach_type: abi.BPF_TRACE_KPROBE_MULTI });
/** An array of one pointer. */
const names = (s: Scene, name: string) => s.buf("a", u64(BigInt(s.at.addressOf(s.buf("n", cString(name))))));

/** Kernels without CONFIG_FPROBE have none. */
function whyNoKprobeMulti(): string | undefined {
  return (
    whyNotLinux ??
    withLinux((bpf) => {
      const attr = LINK_CREATE.kprobe_multi.pack(bpf.sys, {
        prog_fd: loadKprobe(bpf),
        attach_type: abi.BPF_TRACE_KPROBE_MULTI,
      });
      return bpf.sysBpf(cmd, attr, attr.length) === -EOPNOTSUPP ? "it has no kprobe_multi links" : undefined;
    })
  );
}

rawCalls(
  "kprobe_multi",
  [
    row({
      name: "a function",
      ...multi,
      members: (s) => ({ ...head(s), cnt: 1, syms: names(s, "bpf_fentry_test1") }),
      ret: "fd",
    }),
    row({
      name: "a function, with a cookie",
      ...multi,
      members: (s) => ({ ...head(s), cnt: 1, syms: names(s, "bpf_fentry_test1"), cookies: s.buf("c") }),
      ret: "fd",
    }),
    row({
      name: "none",
      ...multi,
      members: (s) => ({ ...head(s), syms: names(s, "bpf_fentry_test1") }),
      ret: "EINVAL",
    }),
    row({ name: "neither names nor addresses", ...multi, members: (s) => ({ ...head(s), cnt: 1 }), ret: "EINVAL" }),
    row({
      name: "names and addresses",
      ...multi,
      members: (s) => ({ ...head(s), cnt: 1, syms: names(s, "bpf_fentry_test1"), addrs: s.buf("x") }),
      ret: "EINVAL",
    }),
    row({
      name: "unknown flags",
      ...multi,
      members: (s) => ({ ...head(s), cnt: 1, multi_flags: 2, syms: names(s, "bpf_fentry_test1") }),
      ret: "EINVAL",
    }),
    row({
      name: "too many",
      ...multi,
      members: (s) => ({ ...head(s), cnt: (1 << 20) + 1, syms: names(s, "bpf_fentry_test1") }),
      ret: "E2BIG",
    }),
    row({ name: "names in no memory", ...multi, members: (s) => ({ ...head(s), cnt: 1, syms: 0x10 }), ret: "EFAULT" }),
    row({
      name: "a name in no memory",
      ...multi,
      members: (s) => ({ ...head(s), cnt: 1, syms: s.buf("a", u64(0x10n)) }),
      ret: "EFAULT",
    }),
    row({
      name: "a function that is not there",
      ...multi,
      members: (s) => ({ ...head(s), cnt: 1, syms: names(s, "no_such_function") }),
      ret: "ESRCH",
    }),
  ],
  whyNoKprobeMulti(),
);

function iterator(s: Scene): void {
  const { bpf } = s.kernel;
  const attachBtfId = parseBtf(bpf.kernelBtf()).byName("bpf_iter_bpf_map_elem", BTF_KIND_FUNC);
  const expectedAttachType = abi.BPF_TRACE_ITER;
  const attr = { progType: abi.BPF_PROG_TYPE_TRACING, insns: ZERO, license: "GPL", expectedAttachType, attachBtfId };
  s.keep("iter", bpf.progLoad(attr).fd);
}

const iter = { cmd, layout: LINK_CREATE.iter, before: iterator } as const;
const iterHead = (s: Scene) => ({ prog_fd: s.fd("iter"), attach_type: abi.BPF_TRACE_ITER });

rawCalls("iterators", [
  row({
    name: "over a map",
    ...iter,
    members: (s) => ({ ...iterHead(s), iter_info: s.buf("i", u32(s.fd("hash"))), iter_info_len: 4 }),
    ret: "fd",
  }),
  row({
    name: "over a map, with all of the union",
    ...iter,
    members: (s) => ({ ...iterHead(s), iter_info: s.buf("i", u32(s.fd("hash"))), iter_info_len: 16 }),
    ret: "fd",
  }),
  row({
    name: "over no map",
    ...iter,
    members: (s) => ({ ...iterHead(s), iter_info: s.buf("i", u32(0x7fffffff)), iter_info_len: 4 }),
    ret: "EBADF",
  }),
  row({
    name: "over a queue",
    ...iter,
    members: (s) => ({ ...iterHead(s), iter_info: s.buf("i", u32(s.fd("queue"))), iter_info_len: 4 }),
    ret: "EINVAL",
  }),
  row({ name: "without a map", ...iter, members: iterHead, ret: "EBADF" }),
  row({
    name: "the length without the address",
    ...iter,
    members: (s) => ({ ...iterHead(s), iter_info_len: 4 }),
    ret: "EINVAL",
  }),
  row({
    name: "the address without the length",
    ...iter,
    members: (s) => ({ ...iterHead(s), iter_info: s.buf("i") }),
    ret: "EINVAL",
  }),
  row({
    name: "a byte behind what is known",
    ...iter,
    members: (s) => ({ ...iterHead(s), iter_info: s.buf("i", new Uint8Array(20).with(19, 1)), iter_info_len: 20 }),
    ret: "E2BIG",
  }),
  row({ name: "a target", ...iter, members: (s) => ({ ...iterHead(s), target_fd: s.fd("hash") }), ret: "EINVAL" }),
  row({ name: "flags", ...iter, members: (s) => ({ ...iterHead(s), flags: 1 }), ret: "EINVAL" }),
  row({
    name: "in no memory",
    ...iter,
    members: (s) => ({ ...iterHead(s), iter_info: 0x10, iter_info_len: 4 }),
    ret: "EFAULT",
  }),
]);

function tracepoint(s: Scene): void {
  s.keep("tp", s.kernel.bpf.progLoad({ progType: abi.BPF_PROG_TYPE_TRACEPOINT, insns: PASS, license: "GPL" }).fd);
}

const perf = { cmd, layout: LINK_CREATE.perf_event, before: tracepoint } as const;

rawCalls("links on perf events", [
  row({
    name: "on a map",
    ...perf,
    members: (s) => ({ prog_fd: s.fd("tp"), attach_type: abi.BPF_PERF_EVENT, target_fd: s.fd("hash") }),
    ret: "EBADF",
  }),
  row({
    name: "with flags",
    ...perf,
    members: (s) => ({ prog_fd: s.fd("tp"), attach_type: abi.BPF_PERF_EVENT, target_fd: s.fd("hash"), flags: 1 }),
    ret: "EINVAL",
  }),
  row({
    name: "by another attach type",
    ...perf,
    members: (s) => ({ prog_fd: s.fd("tp"), attach_type: abi.BPF_TRACE_FENTRY, target_fd: s.fd("hash") }),
    ret: "EINVAL",
  }),
]);
