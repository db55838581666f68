/**
 * The same random calls of bpf(2), as bytes, on skep and on Linux: the errno (or that there was none), what comes back in
 * the attr and what is written to the caller's memory must be equal, apart from ids, addresses and times.
 *
 * A call is a command with members that make sense, some of which are then replaced, bytes that are changed at random,
 * and a size. Members that name objects, memory and processes are kept as what they name, because numbers differ.
 *
 * Bounds   maps stay below a megabyte and runs below 8 repeats, also after bytes were changed; devices are the empty
 *          namespace's; pins lie in the test's directory.
 */
import {
  BTF_LOAD,
  ENABLE_STATS,
  GET_ID,
  INFO_BY_FD,
  ITER_CREATE,
  LINK_CREATE,
  LINK_DETACH,
  LINK_UPDATE,
  MAP_BATCH,
  MAP_CREATE,
  MAP_ELEM,
  OBJ,
  PROG_ATTACH,
  PROG_BIND_MAP,
  PROG_LOAD,
  PROG_QUERY,
  PROG_STREAM_READ,
  RAW_TRACEPOINT,
  TASK_FD_QUERY,
  TEST_RUN,
  TOKEN_CREATE,
} from "../../src/abi/attr.ts";
import * as abi from "../../src/abi/bpf.ts";
import { cString } from "../../src/abi/cstring.ts";
import { errnoName } from "../../src/abi/errno.ts";
import type { Addresses, Members, Struct } from "../../src/abi/struct.ts";
import { toHex } from "../../src/bytes/hex.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { Random } from "../fuzz/case.ts";
import { BTF, insnsOf, MAPS, OUTER, PASS, PROGS, type World } from "./world.ts";

/** What a member stands for; a number is itself. */
type Value = number | { readonly fd: string } | { readonly id: string } | { readonly buf: string } | "pid" | "nobuf";

export interface RawCall {
  readonly cmd: number;
  readonly size: number;
  readonly members: Readonly<Record<string, Value>>;
  /** Bytes that are changed after the members were put: offset and value. */
  readonly flips: readonly (readonly [number, number])[];
}

const ATTR_BYTES = 256;
const BUFFER = 4096;
/** In no process's memory. */
const BAD_ADDRESS = 0x10;

const bytes = (...b: number[]): Uint8Array => Uint8Array.from(b);

/** Buffers by name: what they begin with. */
const BUFFERS: Readonly<Record<string, (world: World) => Uint8Array>> = {
  zeros: () => bytes(),
  one: () => bytes(1),
  ones: () => new Uint8Array(64).fill(0xff),
  ...Object.fromEntries(
    ["array", "frozen", "hash", "xdp", "filter", "btf"].map((name) => [
      `fd_${name}`,
      ({ fds }: World) => new Uint8Array(Uint32Array.of(fds[name]!).buffer),
    ]),
  ),
  prefix: () => bytes(8, 0, 0, 0, 10),
  pass: () => PASS,
  leak: () => insnsOf("r0 = r5\nexit"),
  loop: () => insnsOf("l: goto l"),
  gpl: () => cString("GPL"),
  mit: () => cString("MIT"),
  btf: () => BTF,
  badbtf: () => BTF.with(20, 200),
  path: ({ dir }) => cString(`${dir}/a`),
  nodir: ({ dir }) => cString(`${dir}/no/a`),
  dots: ({ dir }) => cString(`${dir}/a.b`),
  outside: () => cString("/a"),
  tp: () => cString("no_such_tracepoint"),
};

const MAP_NAMES = [...Object.keys(MAPS), ...Object.keys(OUTER)];
const PROG_NAMES = Object.keys(PROGS);
const ALL_NAMES = [...MAP_NAMES, ...PROG_NAMES, "btf", "link"];

interface Template {
  readonly layout: Struct<Members>;
  readonly members: (rng: Random) => Record<string, Value>;
}

const fd = (names: readonly string[]) => (rng: Random) => ({ fd: rng.pick(names) });
const mapFd = fd(MAP_NAMES);
const progFd = fd(PROG_NAMES);
const buf =
  (...names: string[]) =>
  (rng: Random): Value => ({ buf: rng.pick(names) });
const anyBuf = buf("zeros", "one", "ones", "prefix");

/** Maps whose elements are objects: written as fds, read as ids. */
const OBJECT_MAPS: readonly string[] = [
  ...["prog_array", "devmap", "perf_events", "cgroup_array", "sockmap", "xskmap"],
  ...Object.keys(OUTER),
];
const fdBuf = buf("fd_array", "fd_frozen", "fd_hash", "fd_xdp", "fd_filter", "fd_btf");

const elem: Template = {
  layout: MAP_ELEM as unknown as Struct<Members>,
  members: (rng) => {
    const map = mapFd(rng);
    return {
      map_fd: map,
      key: rng.chance(0.3) ? 0 : anyBuf(rng),
      value: OBJECT_MAPS.includes(map.fd) && rng.chance(0.6) ? fdBuf(rng) : anyBuf(rng),
      flags: rng.chance(0.6) ? 0 : rng.below(9),
    };
  },
};

/** Buckets are another number, and other elements share one. */
const readBatch: Template = {
  layout: MAP_BATCH as unknown as Struct<Members>,
  members: (rng) => ({ ...batch.members(rng), map_fd: fd(["array", "lpm", "queue", "rdonly", "wronly", "btf"])(rng) }),
};

const batch: Template = {
  layout: MAP_BATCH as unknown as Struct<Members>,
  members: (rng) => ({
    in_batch: rng.chance(0.7) ? 0 : anyBuf(rng),
    out_batch: buf("zeros")(rng),
    keys: anyBuf(rng),
    values: anyBuf(rng),
    count: rng.below(20),
    map_fd: mapFd(rng),
  }),
};

const byId = (names: readonly string[]): Template => ({
  layout: GET_ID as unknown as Struct<Members>,
  members: (rng) => ({ start_id: rng.chance(0.7) ? { id: rng.pick(names) } : rng.pick([0, 0x7ffffffe, 0xffffffff]) }),
});

const nextId: Template = {
  layout: GET_ID as unknown as Struct<Members>,
  members: (rng) => ({ start_id: rng.pick([0, 0x7ffffffe, 0x7fffffff, 0xffffffff]) }),
};

const attachTypes = [abi.BPF_XDP, abi.BPF_TCX_INGRESS, abi.BPF_CGROUP_INET_INGRESS, abi.BPF_FLOW_DISSECTOR, 500];

const template = <M extends Members>(layout: Struct<M>, members: Template["members"]): Template => ({
  layout: layout as unknown as Struct<Members>,
  members,
});

const TEMPLATES: Readonly<Record<number, Template>> = {
  [abi.BPF_MAP_CREATE]: template(MAP_CREATE, (rng) => ({
    map_type: rng.below(36),
    key_size: rng.pick([0, 1, 4, 4, 4, 8]),
    value_size: rng.pick([0, 1, 4, 4, 8, 8]),
    max_entries: rng.pick([0, 1, 4, 4096]),
    map_flags: rng.chance(0.7) ? 0 : 1 << rng.below(20),
    ...(rng.chance(0.2) ? { inner_map_fd: fd(ALL_NAMES)(rng) } : {}),
    ...(rng.chance(0.1) ? { btf_fd: { fd: "btf" }, btf_key_type_id: 1, btf_value_type_id: 1 } : {}),
  })),
  [abi.BPF_MAP_LOOKUP_ELEM]: elem,
  [abi.BPF_MAP_UPDATE_ELEM]: elem,
  [abi.BPF_MAP_DELETE_ELEM]: elem,
  // Hash tables have their elements in another order.
  [abi.BPF_MAP_GET_NEXT_KEY]: template(MAP_ELEM, (rng) => ({
    ...elem.members(rng),
    value: anyBuf(rng),
    map_fd: fd(["array", "lpm", "queue", "ringbuf", "prog_array", "rdonly", "wronly", "xdp"])(rng),
  })),
  [abi.BPF_MAP_LOOKUP_AND_DELETE_ELEM]: elem,
  [abi.BPF_MAP_LOOKUP_BATCH]: readBatch,
  [abi.BPF_MAP_LOOKUP_AND_DELETE_BATCH]: readBatch,
  [abi.BPF_MAP_UPDATE_BATCH]: batch,
  [abi.BPF_MAP_DELETE_BATCH]: batch,
  // "frozen" alone: others are written to.
  [abi.BPF_MAP_FREEZE]: template(MAP_ELEM, fdOf("map_fd", ["frozen", "rdonly", "xdp", "btf"])),
  [abi.BPF_PROG_LOAD]: template(PROG_LOAD, (rng) => ({
    prog_type: rng.pick([0, 1, 3, 6, 17, 31, 40]),
    insn_cnt: rng.pick([2, 2, 2, 1, 0]),
    insns: buf("pass", "pass", "leak", "loop", "zeros")(rng),
    license: buf("gpl", "mit")(rng),
    ...(rng.chance(0.4)
      ? { log_level: rng.below(20), log_size: rng.pick([0, 1, 64, 4096]), log_buf: buf("zeros")(rng) }
      : {}),
    ...(rng.chance(0.1) ? { prog_btf_fd: { fd: "btf" } } : {}),
  })),
  [abi.BPF_OBJ_PIN]: template(OBJ, (rng) => ({
    pathname: buf("path", "nodir", "dots", "outside")(rng),
    bpf_fd: fd(ALL_NAMES)(rng),
  })),
  [abi.BPF_OBJ_GET]: template(OBJ, (rng) => ({ pathname: buf("path", "nodir", "dots", "outside")(rng) })),
  [abi.BPF_PROG_TEST_RUN]: template(TEST_RUN, (rng) => ({
    prog_fd: progFd(rng),
    ...(rng.chance(0.7) ? { data_in: anyBuf(rng), data_size_in: rng.pick([14, 64, 10, 0]) } : {}),
    ...(rng.chance(0.4) ? { data_out: buf("zeros")(rng), data_size_out: rng.pick([0, 14, 64]) } : {}),
    ...(rng.chance(0.2) ? { ctx_in: buf("zeros")(rng), ctx_size_in: rng.pick([8, 0, 24]) } : {}),
    ...(rng.chance(0.2) ? { repeat: 2 } : {}),
  })),
  [abi.BPF_PROG_GET_NEXT_ID]: nextId,
  [abi.BPF_MAP_GET_NEXT_ID]: nextId,
  [abi.BPF_BTF_GET_NEXT_ID]: nextId,
  [abi.BPF_PROG_GET_FD_BY_ID]: byId(PROG_NAMES),
  [abi.BPF_MAP_GET_FD_BY_ID]: byId(MAP_NAMES),
  [abi.BPF_BTF_GET_FD_BY_ID]: byId(["btf"]),
  [abi.BPF_LINK_GET_FD_BY_ID]: byId(["link"]),
  [abi.BPF_OBJ_GET_INFO_BY_FD]: template(INFO_BY_FD, (rng) => ({
    bpf_fd: fd(ALL_NAMES)(rng),
    info: buf("zeros", "zeros", "ones", "one")(rng),
    info_len: rng.pick([0, 8, 40, 80, 128, 256, 4096]),
  })),
  [abi.BPF_PROG_QUERY]: template(PROG_QUERY, (rng) => ({
    target_fd: rng.pick([0, 1]),
    attach_type: rng.pick(attachTypes),
  })),
  [abi.BPF_PROG_ATTACH]: template(PROG_ATTACH, (rng) => ({
    attach_bpf_fd: progFd(rng),
    attach_type: rng.pick(attachTypes),
  })),
  [abi.BPF_PROG_DETACH]: template(PROG_ATTACH, (rng) => ({
    attach_bpf_fd: progFd(rng),
    attach_type: rng.pick(attachTypes),
  })),
  [abi.BPF_RAW_TRACEPOINT_OPEN]: template(RAW_TRACEPOINT, (rng) => ({
    prog_fd: progFd(rng),
    name: rng.chance(0.5) ? 0 : buf("tp", "ones")(rng),
  })),
  [abi.BPF_BTF_LOAD]: template(BTF_LOAD, (rng) => ({
    btf: buf("btf", "btf", "badbtf", "zeros")(rng),
    btf_size: rng.pick([BTF.length, BTF.length, BTF.length - 1, 0, 10]),
    ...(rng.chance(0.3) ? { btf_log_level: rng.below(3), btf_log_size: 4096, btf_log_buf: buf("zeros")(rng) } : {}),
  })),
  [abi.BPF_TASK_FD_QUERY]: template(TASK_FD_QUERY, (rng) => ({
    pid: rng.chance(0.8) ? "pid" : 0x7ffffff0,
    fd: fd(ALL_NAMES)(rng),
    ...(rng.chance(0.5) ? { buf: buf("zeros")(rng), buf_len: rng.pick([0, 1, 5, 64]) } : {}),
  })),
  [abi.BPF_LINK_CREATE]: template(LINK_CREATE.mprog, (rng) => ({
    prog_fd: progFd(rng),
    attach_type: rng.pick(attachTypes),
    // lo of the empty namespace
    target_fd: rng.pick([0, 1, 1]),
    ...(rng.chance(0.4) ? { flags: rng.below(128) } : {}),
    ...(rng.chance(0.2) ? { relative_fd: fd(["cls", "xdp", "tcx", "link"])(rng) } : {}),
  })),
  [abi.BPF_LINK_UPDATE]: template(LINK_UPDATE, (rng) => ({
    link_fd: fd(["link", "link", "hash"])(rng),
    new_prog_fd: progFd(rng),
    ...(rng.chance(0.3) ? { flags: 4, old_prog_fd: progFd(rng) } : {}),
  })),
  [abi.BPF_LINK_GET_NEXT_ID]: nextId,
  [abi.BPF_ENABLE_STATS]: template(ENABLE_STATS, (rng) => ({ type: rng.pick([0, 0, 1]) })),
  [abi.BPF_ITER_CREATE]: template(ITER_CREATE, fdOf("link_fd", ["link", "hash"])),
  [abi.BPF_LINK_DETACH]: template(LINK_DETACH, fdOf("link_fd", ["link", "xdp"])),
  [abi.BPF_PROG_BIND_MAP]: template(PROG_BIND_MAP, (rng) => ({
    prog_fd: fd(ALL_NAMES)(rng),
    map_fd: fd(ALL_NAMES)(rng),
  })),
  [abi.BPF_TOKEN_CREATE]: template(TOKEN_CREATE, fdOf("bpffs_fd", ["hash", "xdp"])),
  [abi.BPF_PROG_STREAM_READ_BY_FD]: template(PROG_STREAM_READ, (rng) => ({
    prog_fd: fd(ALL_NAMES)(rng),
    stream_id: rng.below(4),
    stream_buf: rng.chance(0.7) ? buf("zeros")(rng) : 0,
    stream_buf_len: rng.below(100),
  })),
};

function fdOf(member: string, names: readonly string[]): Template["members"] {
  return (rng) => ({ [member]: { fd: rng.pick(names) } });
}

/** Commands that a kernel may lack, and the method that says whether it has them. */
const OPTIONAL = {
  [abi.BPF_PROG_ATTACH]: "progAttach",
  [abi.BPF_PROG_DETACH]: "progDetach",
  [abi.BPF_PROG_QUERY]: "progQuery",
} as const;

/** Numbers of the commands that both kernels have. */
export function commandsOf(...worlds: readonly World[]): number[] {
  const lacks = (cmd: number) => {
    const method = (OPTIONAL as Record<number, (typeof OPTIONAL)[keyof typeof OPTIONAL] | undefined>)[cmd];
    return method !== undefined && worlds.some(({ kernel }) => !kernel.bpf[method]);
  };
  return Object.keys(TEMPLATES)
    .map(Number)
    .filter((cmd) => !lacks(cmd));
}

/** Numbers that members are replaced by. */
/** Numbers that are no object's on either kernel. */
const NO_OBJECT = [0, 0x7fffffff, 0xffffffff];
const EDGES = [0, 1, 2, 4, 8, 0x7fffffff, 0x80000000, 0xffffffff];

/** @param commands numbers to choose from */
export function randomCall(rng: Random, commands: readonly number[]): RawCall {
  const cmd = rng.chance(0.02) ? rng.pick([38, 39, 1000, 0x7fffffff]) : rng.pick(commands);
  const { layout, members: make } = TEMPLATES[cmd] ?? elem;
  const members = make(rng);
  if (rng.chance(0.35)) {
    const name = rng.pick(layout.names.filter((n) => !n.startsWith("signature")));
    const kind = layout.kindOf(name);
    members[name] =
      kind === "ptr"
        ? rng.pick<Value>([0, "nobuf", { buf: "ones" }])
        : rng.pick(meansObject(layout, layout.offsetOf(name)) ? NO_OBJECT : EDGES);
  }
  const flips = Array.from(
    { length: rng.chance(0.15) ? 1 + rng.below(3) : 0 },
    () => [rng.below(180), rng.u32() & 0xff] as const,
  );
  const cut = rng.chance(0.8) ? layout.size : rng.pick([0, 4, 8, 16, 40, 120, 168, 169, 176, 256, 4097, 0xffffffff]);
  // Half an address is one that means something else on each kernel.
  const inside = layout.names.find(
    (n) => layout.kindOf(n) === "ptr" && layout.offsetOf(n) < cut && cut < layout.endOf(n),
  );
  return { cmd, members, flips, size: inside ? layout.endOf(inside) : cut };
}

/** Members whose values are kept small, whatever bytes were changed. */
const LIMITS: readonly (readonly [cmd: number, layout: Struct<Members>, member: string, max: number])[] = [
  [abi.BPF_MAP_CREATE, MAP_CREATE as unknown as Struct<Members>, "key_size", 64],
  [abi.BPF_MAP_CREATE, MAP_CREATE as unknown as Struct<Members>, "value_size", 64],
  [abi.BPF_MAP_CREATE, MAP_CREATE as unknown as Struct<Members>, "max_entries", 4096],
  ...[
    abi.BPF_MAP_LOOKUP_BATCH,
    abi.BPF_MAP_LOOKUP_AND_DELETE_BATCH,
    abi.BPF_MAP_UPDATE_BATCH,
    abi.BPF_MAP_DELETE_BATCH,
  ].map((cmd) => [cmd, MAP_BATCH as unknown as Struct<Members>, "count", 100] as const),
  [abi.BPF_PROG_LOAD, PROG_LOAD as unknown as Struct<Members>, "insn_cnt", 100],
  [abi.BPF_BTF_LOAD, BTF_LOAD as unknown as Struct<Members>, "btf_size", BUFFER],
  [abi.BPF_PROG_TEST_RUN, TEST_RUN as unknown as Struct<Members>, "repeat", 7],
  [abi.BPF_PROG_TEST_RUN, TEST_RUN as unknown as Struct<Members>, "data_size_in", 3000],
  [abi.BPF_PROG_TEST_RUN, TEST_RUN as unknown as Struct<Members>, "ctx_size_in", BUFFER],
  [abi.BPF_PROG_TEST_RUN, TEST_RUN as unknown as Struct<Members>, "batch_size", 7],
];

export interface Packed {
  readonly attr: Uint8Array;
  readonly at: Addresses;
  /** What pointers in it lead to. */
  readonly used: readonly Uint8Array[];
}

/** The bytes of a call on a kernel. */
export function pack(world: World, call: RawCall): Packed {
  const { kernel } = world;
  const at = kernel.memory();
  const used: Uint8Array[] = [];
  const number = (value: Value): number => {
    if (typeof value === "number") return value;
    if (value === "pid") return kernel.pid;
    if (value === "nobuf") return BAD_ADDRESS;
    if ("fd" in value) return world.fds[value.fd]!;
    if ("id" in value) return world.ids[value.id]!;
    const buffer = new Uint8Array(BUFFER);
    buffer.set(BUFFERS[value.buf]!(world));
    used.push(buffer);
    return at.addressOf(buffer);
  };
  const { layout } = TEMPLATES[call.cmd] ?? elem;
  const attr = new Uint8Array(ATTR_BYTES);
  layout.put(attr, at, Object.fromEntries(Object.entries(call.members).map(([name, v]) => [name, number(v)])));
  const fixed = new Set<number>();
  for (const [name, value] of Object.entries(call.members)) {
    // Half an address or fd would be a number that means something else on each kernel.
    if (typeof value !== "number") for (let n = layout.offsetOf(name); n < layout.endOf(name); n++) fixed.add(n);
  }
  for (const [off, byte] of call.flips) if (!fixed.has(off) && !meansObject(layout, off)) attr[off] = byte;
  const view = new DataView(attr.buffer);
  for (const [cmd, of, member, max] of LIMITS) {
    const off = of.offsetOf(member);
    if (cmd === call.cmd && view.getUint32(off, true) > max) view.setUint32(off, max, true);
  }
  // Machines may forbid these to everyone, whatever else is wrong with the load.
  if (call.cmd === abi.BPF_PROG_LOAD && FORBIDDEN.includes(view.getUint32(0, true))) view.setUint32(0, 0, true);
  return { attr, at, used };
}

const FORBIDDEN: readonly number[] = [abi.BPF_PROG_TYPE_EXT, abi.BPF_PROG_TYPE_LSM];

/** Members that commands give back, where no ids, addresses and times are in them. */
const OUTPUTS: Readonly<Record<number, readonly string[]>> = {
  [abi.BPF_MAP_LOOKUP_BATCH]: ["count"],
  [abi.BPF_MAP_LOOKUP_AND_DELETE_BATCH]: ["count"],
  [abi.BPF_MAP_UPDATE_BATCH]: ["count"],
  [abi.BPF_MAP_DELETE_BATCH]: ["count"],
  [abi.BPF_PROG_TEST_RUN]: ["retval", "data_size_out", "ctx_size_out"],
  [abi.BPF_OBJ_GET_INFO_BY_FD]: ["info_len"],
  [abi.BPF_TASK_FD_QUERY]: ["buf_len", "fd_type", "probe_offset"],
};

/** Commands that fill the caller's memory with nothing but what was put into a kernel. */
const FILLS: ReadonlySet<number> = new Set([
  abi.BPF_MAP_LOOKUP_ELEM,
  abi.BPF_MAP_GET_NEXT_KEY,
  abi.BPF_MAP_LOOKUP_AND_DELETE_ELEM,
  abi.BPF_MAP_LOOKUP_BATCH,
  abi.BPF_MAP_LOOKUP_AND_DELETE_BATCH,
  abi.BPF_PROG_TEST_RUN,
  abi.BPF_TASK_FD_QUERY,
  abi.BPF_PROG_STREAM_READ_BY_FD,
]);

/** What the call left in the attr and in memory, as far as it must be the same on each kernel. */
function outputs(call: RawCall, attr: Uint8Array, used: readonly Uint8Array[]): string {
  const { layout } = TEMPLATES[call.cmd] ?? elem;
  const given = layout.unpack(attr) as Record<string, unknown>;
  const members = (OUTPUTS[call.cmd] ?? []).map((name) => `${name} ${given[name]}`);
  const map = call.members["map_fd"];
  const { value } = call.members;
  const ids =
    (typeof map === "object" && "fd" in map && OBJECT_MAPS.includes(map.fd)) ||
    (typeof value === "object" && "buf" in value && value.buf.startsWith("fd_"));
  const filled = FILLS.has(call.cmd) && !ids ? used.map((bytes) => toHex(bytes).replace(/(00)+$/, "")) : [];
  return [...members, ...filled].join(" ");
}

/** Makes the call on a kernel. @returns "0", "fd" or an errno's name; and what the call left */
export function perform(world: World, call: RawCall): { readonly result: string; readonly left: string } {
  const { kernel } = world;
  const { attr, at, used } = pack(world, call);
  const ret = kernel.call(call.cmd, attr, call.size, at, used);
  const left = outputs(call, attr, used);
  if (ret < 0) return { result: errnoName(-ret), left };
  if (!FD_RESULTS.has(call.cmd)) return { result: "0", left };
  kernel.bpf.close(ret as Fd);
  return { result: "fd", left };
}

/** Bytes of members that are fds, addresses, ids or devices: what they would name by chance differs. */
function meansObject(layout: Struct<Members>, off: number): boolean {
  const name = layout.names.find((n) => layout.offsetOf(n) <= off && off < layout.endOf(n));
  return name !== undefined && (layout.kindOf(name) === "ptr" || /fd$|_id$|ifindex|pid|^fd/.test(name));
}

/** Commands whose result is an fd. */
const FD_RESULTS: ReadonlySet<number> = new Set([
  abi.BPF_MAP_CREATE,
  abi.BPF_PROG_LOAD,
  abi.BPF_OBJ_GET,
  abi.BPF_PROG_GET_FD_BY_ID,
  abi.BPF_MAP_GET_FD_BY_ID,
  abi.BPF_BTF_GET_FD_BY_ID,
  abi.BPF_LINK_GET_FD_BY_ID,
  abi.BPF_RAW_TRACEPOINT_OPEN,
  abi.BPF_BTF_LOAD,
  abi.BPF_LINK_CREATE,
  abi.BPF_ENABLE_STATS,
  abi.BPF_ITER_CREATE,
  abi.BPF_TOKEN_CREATE,
]);

/** What happens after a call so that both kernels stay alike: a pin is taken away again. */
function settle(world: World, call: RawCall, outcome: string): void {
  if (call.cmd === abi.BPF_OBJ_PIN && outcome === "0") world.kernel.bpf.objUnpin(`${world.dir}/a`);
}

const LOGS: ReadonlySet<number> = new Set([abi.BPF_BTF_LOAD, abi.BPF_PROG_LOAD]);

export interface RawDifference {
  readonly call: RawCall;
  readonly skep: string;
  readonly linux: string;
}

/** One call on both. */
export function compareCall(skep: World, linux: World, call: RawCall): RawDifference | undefined {
  const ours = perform(skep, call);
  settle(skep, call, ours.result);
  const theirs = perform(linux, call);
  settle(linux, call, theirs.result);
  // Machines know different numbers of CPUs.
  if (call.members["map_type"] === abi.BPF_MAP_TYPE_CPUMAP && theirs.result === "E2BIG") return undefined;
  // Linux's log says more before the verifier begins (types of a BTF), and may not fit where skep's does.
  if (LOGS.has(call.cmd) && [ours.result, theirs.result].includes("ENOSPC")) return undefined;
  if (ours.result === theirs.result && ours.left === theirs.left) return undefined;
  const text = ({ result, left }: typeof ours) => (left ? `${result}: ${left}` : result);
  return { call, skep: text(ours), linux: text(theirs) };
}
