/** BPF_PROG_TEST_RUN of XDP programs: sizes, contexts, metadata, and what the XDP helpers do to a packet. */
import { BPF_PROG_TYPE_XDP } from "../../src/abi/bpf.ts";
import { type ProgCase, progTests } from "../support/progs.ts";

const type = BPF_PROG_TYPE_XDP;
const bytes = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => ((i + from) & 255).toString(16).padStart(2, "0")).join("");
const u32 = (...words: number[]) =>
  words
    .map((w) =>
      (w >>> 0)
        .toString(16)
        .padStart(8, "0")
        .replace(/(..)(..)(..)(..)/, "$4$3$2$1"),
    )
    .join("");
const P60 = bytes(60);

/** r2 = data, r3 = data_end, r0 = XDP_DROP unless n bytes are there. */
const bounds = (n: number) => `
  r6 = r1
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += ${n}
  r0 = 1
  if r4 > r3 goto out`;

const callHelper = (name: string, arg: number): ProgCase => ({
  name: `${name} ${arg}`,
  type,
  asm: `
    r2 = ${arg}
    call ${name}
    exit`,
  runs: [{ dataIn: P60 }],
});

const cases: ProgCase[] = [
  { name: "returns r0", type, asm: "r0 = 2\nexit", runs: [{ dataIn: P60 }], retval: 2 },
  { name: "r0 is cut to 32 bits", type, asm: "r0 = -1\nexit", runs: [{ dataIn: P60 }], retval: 0xffffffff },
  {
    name: "sizes of packets",
    type,
    asm: "r0 = 2\nexit",
    runs: [0, 1, 13, 14, 15, 1500, 3519, 3520, 3521, 4096, 9000].map((n) => ({ dataIn: bytes(n) })),
  },
  {
    name: "data_end - data",
    type,
    asm: "r2 = *(u32 *)(r1 + 0)\nr0 = *(u32 *)(r1 + 4)\nr0 -= r2\nexit",
    runs: [14, 60, 3520, 5000].map((n) => ({ dataIn: bytes(n) })),
  },
  {
    name: "buff_len of a jumbo frame",
    type,
    asm: "call xdp_get_buff_len\nexit",
    flags: 32,
    runs: [14, 3520, 3521, 5000, 9000].map((n) => ({ dataIn: bytes(n) })),
  },
  {
    name: "too little room for the result",
    type,
    asm: "r0 = 2\nexit",
    runs: [
      { dataIn: P60, dataSizeOut: 20 },
      { dataIn: P60, dataSizeOut: 60 },
      { dataIn: P60, dataSizeOut: 61 },
    ],
  },
  {
    name: "flags, cpu and batch_size",
    type,
    asm: "r0 = 2\nexit",
    runs: [
      { dataIn: P60, flags: 1 },
      { dataIn: P60, flags: 4 },
      { dataIn: P60, batchSize: 1 },
      { dataIn: P60, flags: 2, batchSize: 257, plain: true },
    ],
  },
  {
    name: "ctx_in",
    type,
    asm: "r0 = *(u32 *)(r1 + 12)\nexit",
    runs: [
      { dataIn: P60, ctxIn: u32(0, 60, 0, 0, 0, 0) },
      { dataIn: P60, ctxIn: u32(0, 60, 0, 1, 0, 0) },
      { dataIn: P60, ctxIn: u32(0, 60, 0, 1, 5, 0) },
      { dataIn: P60, ctxIn: u32(0, 60, 0, 0, 1, 0) },
      { dataIn: P60, ctxIn: u32(0, 60, 0, 77777, 0, 0) },
      { dataIn: P60, ctxIn: u32(0, 60, 0, 0, 0, 1) },
      { dataIn: P60, ctxIn: u32(0, 60, 4, 0, 0, 0) },
      { dataIn: P60, ctxIn: u32(8, 60, 0, 0, 0, 0) },
      { dataIn: P60, ctxIn: u32(6, 60, 0, 0, 0, 0) },
      { dataIn: bytes(300), ctxIn: u32(252, 300, 0, 0, 0, 0) },
      { dataIn: bytes(300), ctxIn: u32(256, 300, 0, 0, 0, 0) },
      { dataIn: P60, ctxIn: u32(48, 60, 0, 0, 0, 0) },
      { dataIn: P60, ctxIn: u32(8, 61, 0, 0, 0, 0) },
      { dataIn: P60, ctxIn: u32(0, 30, 0, 0, 0, 0) },
      { dataIn: P60, ctxIn: u32(0, 60, 0, 0, 0, 0, 0, 0) },
      { dataIn: P60, ctxIn: u32(0, 60, 0, 0, 0, 0, 0, 1) },
      { dataIn: P60, ctxIn: u32(0, 60, 0) },
      { dataIn: P60, ctxIn: u32(0, 60, 0, 0, 0, 0), ctxSizeOut: 12 },
    ],
  },
  {
    name: "default device",
    type,
    asm: "r2 = *(u32 *)(r1 + 12)\nr0 = *(u32 *)(r1 + 16)\nr0 <<= 8\nr0 |= r2\nexit",
    runs: [{ dataIn: P60 }],
  },
  {
    name: "metadata survives a head move",
    type,
    asm: `
      r6 = r1
      r2 = -12
      call xdp_adjust_head
      r2 = *(u32 *)(r6 + 8)
      r3 = *(u32 *)(r6 + 0)
      r4 = r2
      r4 += 4
      if r4 > r3 goto none
      r0 = *(u32 *)(r2 + 0)
      exit
    none:
      r0 = 99
      exit`,
    runs: [{ dataIn: bytes(68), ctxIn: u32(8, 68, 0, 0, 0, 0) }, { dataIn: P60 }],
  },
  {
    name: "the packet changes from run to run",
    type,
    asm: "r2 = 1\ncall xdp_adjust_head\nexit",
    runs: [
      { dataIn: P60, repeat: 10 },
      { dataIn: bytes(20), repeat: 10 },
    ],
  },
  {
    name: "writes to the packet",
    type,
    asm: `${bounds(14)}
      *(u8 *)(r2 + 3) = 77
      r0 = *(u16 *)(r2 + 12)
    out:
      exit`,
    runs: [{ dataIn: P60 }],
  },
  ...[-216, -217, -100, -1, 0, 1, 46, 47, 60].map((n) => callHelper("xdp_adjust_head", n)),
  ...[-46, -47, -1, 0, 1, 100, 3460, 3461].map((n) => callHelper("xdp_adjust_tail", n)),
  ...[-256, -252, -216, -4, -2, 0, 4].map((n) => callHelper("xdp_adjust_meta", n)),
  {
    name: "tail of a jumbo frame",
    type,
    flags: 32,
    asm: `
      r6 = r1
      r2 = *(u32 *)(r1 + 16)
      call xdp_get_buff_len
      r2 = 5000
      r2 -= r0
      r1 = r6
      call xdp_adjust_tail
      exit`,
    runs: [4000, 4999, 5000, 6000, 9000, 12000].map((n) => ({ dataIn: bytes(n) })),
  },
  {
    name: "load_bytes and store_bytes across fragments",
    type,
    flags: 32,
    asm: `
      r6 = r1
      r2 = 3516
      r3 = r10
      r3 += -16
      r4 = 8
      call xdp_load_bytes
      if r0 s< 0 goto out
      r1 = r6
      r2 = 100
      r3 = r10
      r3 += -16
      r4 = 8
      call xdp_store_bytes
      if r0 s< 0 goto out
      r0 = *(u32 *)(r10 - 12)
    out:
      exit`,
    runs: [{ dataIn: bytes(4000, 7) }, { dataIn: bytes(3524, 3) }, { dataIn: bytes(3520) }],
  },
  {
    name: "load_bytes with offsets and lengths beyond u16",
    type,
    asm: `
      r2 = 0x10000
      r3 = r10
      r3 += -8
      r4 = 4
      call xdp_load_bytes
      exit`,
    runs: [{ dataIn: P60 }],
  },
  {
    name: "redirect outside of a device",
    type,
    asm: "r1 = 1\nr2 = 0\ncall redirect\nexit",
    runs: [{ dataIn: P60 }],
    retval: 4,
  },
  { name: "redirect with flags", type, asm: "r1 = 1\nr2 = 1\ncall redirect\nexit", runs: [{ dataIn: P60 }], retval: 0 },
  {
    name: "redirect_map of an empty devmap gives the flags",
    type,
    maps: { m: [14, 4, 4, 4] },
    asm: "r1 = map[m] ll\nr2 = 2\nr3 = 2\ncall redirect_map\nexit",
    runs: [{ dataIn: P60 }],
    retval: 2,
  },
  {
    name: "redirect_map with unknown flags",
    type,
    maps: { m: [14, 4, 4, 4] },
    asm: "r1 = map[m] ll\nr2 = 2\nr3 = 32\ncall redirect_map\nexit",
    runs: [{ dataIn: P60 }],
    retval: 0,
  },
  {
    name: "redirect_map broadcast of a devmap_hash",
    type,
    maps: { m: [25, 4, 4, 4] },
    asm: "r1 = map[m] ll\nr2 = 0\nr3 = 24\ncall redirect_map\nexit",
    runs: [{ dataIn: P60 }],
    retval: 4,
  },
  {
    name: "check_mtu of the packet's own device",
    type,
    asm: `
      r6 = r1
      *(u32 *)(r10 - 4) = 0
      r2 = 0
      r3 = r10
      r3 += -4
      r4 = 70000
      r5 = 0
      call check_mtu
      r0 <<= 20
      r1 = *(u32 *)(r10 - 4)
      r0 |= r1
      exit`,
    runs: [{ dataIn: P60 }],
  },
  {
    name: "check_mtu of no device",
    type,
    asm: "*(u32 *)(r10 - 4) = 0\nr2 = 77777\nr3 = r10\nr3 += -4\nr4 = 0\nr5 = 0\ncall check_mtu\nexit",
    runs: [{ dataIn: P60 }],
  },
  {
    name: "fib_lookup refuses",
    type,
    asm: `
      *(u64 *)(r10 - 64) = 0
      *(u64 *)(r10 - 56) = 0
      *(u64 *)(r10 - 48) = 0
      *(u64 *)(r10 - 40) = 0
      *(u64 *)(r10 - 32) = 0
      *(u64 *)(r10 - 24) = 0
      *(u64 *)(r10 - 16) = 0
      *(u64 *)(r10 - 8) = 0
      r6 = r1
      r2 = r10
      r2 += -64
      r3 = 60
      r4 = 0
      call fib_lookup
      r7 = r0
      r1 = r6
      r2 = r10
      r2 += -64
      r3 = 64
      r4 = 64
      call fib_lookup
      r7 += r0
      r1 = r6
      r2 = r10
      r2 += -64
      r3 = 64
      r4 = 0
      call fib_lookup
      r7 += r0
      r0 = r7
      exit`,
    runs: [{ dataIn: P60 }],
  },
  {
    name: "live frames",
    type,
    asm: "r0 = 1\nexit",
    runs: [
      { dataIn: P60, flags: 2, repeat: 3, plain: true },
      { dataIn: bytes(4000), flags: 2, repeat: 1, plain: true },
    ],
  },
  {
    name: "devmap programs cannot be run alone",
    type,
    expectedAttachType: 33,
    asm: "r0 = 2\nexit",
    runs: [{ dataIn: P60 }],
  },
];

progTests("XDP test runs", new URL("xdp_test_run.json", import.meta.url), cases);
