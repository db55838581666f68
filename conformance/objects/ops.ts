/** The operations of random sequences, one entry each. What an operation refuses (BpfError) is as good as what it does. */
import * as abi from "../../src/abi/bpf.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import { ATTACH_OPS } from "./attach_ops.ts";
import { FS_OPS } from "./fs_ops.ts";
import { pick, program, type Scene, tailCaller } from "./scene.ts";

export interface Op {
  readonly name: string;
  /** How often among the others; default 1. */
  readonly weight?: number;
  readonly run: (scene: Scene, a: number, b: number, c: number) => void;
}

const MAPS = [
  { mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 2 },
  { mapType: abi.BPF_MAP_TYPE_HASH, keySize: 4, valueSize: 8, maxEntries: 4 },
  { mapType: abi.BPF_MAP_TYPE_PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: 2 },
  { mapType: abi.BPF_MAP_TYPE_DEVMAP, keySize: 4, valueSize: 8, maxEntries: 4 },
];

const PROGS = [
  { progType: abi.BPF_PROG_TYPE_XDP, expectedAttachType: abi.BPF_XDP, retval: 2 },
  { progType: abi.BPF_PROG_TYPE_XDP, expectedAttachType: abi.BPF_XDP_DEVMAP, retval: 2 },
  { progType: abi.BPF_PROG_TYPE_SCHED_CLS, expectedAttachType: 0, retval: -1 },
  { progType: abi.BPF_PROG_TYPE_CGROUP_SKB, expectedAttachType: abi.BPF_CGROUP_INET_EGRESS, retval: 1 },
  { progType: abi.BPF_PROG_TYPE_SOCKET_FILTER, expectedAttachType: 0, retval: 0 },
  { progType: abi.BPF_PROG_TYPE_RAW_TRACEPOINT, expectedAttachType: 0, retval: 0 },
  { progType: abi.BPF_PROG_TYPE_FLOW_DISSECTOR, expectedAttachType: 0, retval: 0 },
  { progType: abi.BPF_PROG_TYPE_SK_LOOKUP, expectedAttachType: abi.BPF_SK_LOOKUP, retval: 1 },
  { progType: abi.BPF_PROG_TYPE_KPROBE, expectedAttachType: 0, retval: 0 },
];

const word = (...n: number[]) => new Uint8Array(Uint32Array.from(n).buffer);

export const OPS: readonly Op[] = [
  {
    name: "map_create",
    weight: 6,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      proc.mapCreate({ ...pick(MAPS, b)!, name: `m${c % 10}` });
    },
  },
  {
    name: "map_create of maps",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const mapType = c % 2 ? abi.BPF_MAP_TYPE_ARRAY_OF_MAPS : abi.BPF_MAP_TYPE_HASH_OF_MAPS;
      const innerMapFd = scene.fd(proc, "map", b);
      proc.mapCreate({ mapType, keySize: 4, valueSize: 4, maxEntries: 2, innerMapFd });
    },
  },
  {
    name: "prog_load",
    weight: 12,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const { retval, ...attr } = pick(PROGS, b)!;
      const mapFd = c % 2 ? scene.fd(proc, "map", c >> 1) : undefined;
      proc.progLoad({ ...attr, license: "GPL", insns: program(retval, mapFd) });
    },
  },
  {
    name: "prog_load of a tail caller",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const { progType, expectedAttachType } = pick(PROGS, c)!;
      proc.progLoad({ progType, expectedAttachType, license: "GPL", insns: tailCaller(scene.fd(proc, "map", b)) });
    },
  },
  {
    name: "prog_bind_map",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      proc.progBindMap(scene.fd(proc, "prog", b), scene.fd(proc, "map", c));
    },
  },
  {
    name: "map_update with an object",
    weight: 3,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const map = scene.fd(proc, "map", b);
      const { type } = proc.mapInfo(map);
      const key = word(c % 2);
      if (type === abi.BPF_MAP_TYPE_DEVMAP) {
        const prog = c % 4 ? scene.fd(proc, "prog", c >> 2) : (0 as Fd);
        proc.mapUpdateElem(map, key, word(scene.device(c)?.ifindex ?? 77, prog));
      } else if (type === abi.BPF_MAP_TYPE_PROG_ARRAY)
        proc.mapUpdateElem(map, key, word(scene.fd(proc, "prog", c >> 1)));
      else if (type === abi.BPF_MAP_TYPE_ARRAY_OF_MAPS || type === abi.BPF_MAP_TYPE_HASH_OF_MAPS)
        proc.mapUpdateElem(map, key, word(scene.fd(proc, "map", c >> 1)));
      else proc.mapUpdateElem(map, key, word(c, 0));
    },
  },
  {
    name: "map_delete",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      proc.mapDeleteElem(scene.fd(proc, "map", b), word(c % 2));
    },
  },
  {
    name: "link_create xdp",
    weight: 2,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const targetIfindex = scene.device(c)?.ifindex ?? 77;
      proc.linkCreate({ progFd: scene.prog(proc, abi.BPF_PROG_TYPE_XDP, b), attachType: abi.BPF_XDP, targetIfindex });
    },
  },
  {
    name: "link_create tcx",
    weight: 2,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const attachType = c % 2 ? abi.BPF_TCX_INGRESS : abi.BPF_TCX_EGRESS;
      const targetIfindex = scene.device(c >> 1)?.ifindex ?? 77;
      proc.linkCreate({ progFd: scene.prog(proc, abi.BPF_PROG_TYPE_SCHED_CLS, b), attachType, targetIfindex });
    },
  },
  {
    name: "raw_tracepoint_open",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      proc.rawTracepointOpen(
        scene.prog(proc, abi.BPF_PROG_TYPE_RAW_TRACEPOINT, b),
        c % 4 ? "sched_switch" : "sys_enter",
      );
    },
  },
  {
    name: "link_update",
    weight: 2,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const oldProgFd = c % 2 ? { oldProgFd: scene.fd(proc, "prog", c >> 1) } : {};
      proc.linkUpdate(scene.fd(proc, "link", b), scene.fd(proc, "prog", c >> 2), oldProgFd);
    },
  },
  {
    name: "link_detach",
    run(scene, a, b) {
      const proc = scene.proc(a);
      proc.linkDetach(scene.fd(proc, "link", b));
    },
  },
  {
    name: "obj_pin",
    weight: 2,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      proc.objPin(scene.fd(proc, (["map", "prog", "link"] as const)[c % 3]!, b), scene.path(c >> 2));
    },
  },
  { name: "obj_get", run: (scene, a, b) => void scene.proc(a).objGet(scene.path(b)) },
  { name: "unlink", run: (scene, a, b) => scene.proc(a).objUnpin(scene.path(b)) },
  {
    name: "fd by id",
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      const { kernel } = scene;
      const [table, get] = [
        [kernel.maps, (id: number) => proc.mapGetFdById(id)],
        [kernel.progs, (id: number) => proc.progGetFdById(id)],
        [kernel.links, (id: number) => proc.linkGetFdById(id)],
      ][c % 3] as [typeof kernel.maps, (id: number) => Fd];
      get(pick([...table.values()], b)?.id ?? 99);
    },
  },
  { name: "dup", run: (scene, a, b) => void scene.proc(a).dup(pick(scene.proc(a).fds, b) ?? (99 as Fd)) },
  {
    name: "close",
    weight: 4,
    run: (scene, a, b) => scene.proc(a).close(pick(scene.proc(a).fds, b) ?? (99 as Fd)),
  },
  {
    name: "send fd",
    weight: 2,
    run(scene, a, b, c) {
      const proc = scene.proc(a);
      proc.sendFd(pick(proc.fds, b) ?? (99 as Fd), scene.proc(c));
    },
  },
  { name: "spawn", run: (scene, a) => scene.spawn(a) },
  { name: "fork", run: (scene, a) => scene.fork(a) },
  { name: "exit", run: (scene, a) => scene.proc(a).exit() },
  { name: "add device", run: (scene) => void (scene.device(2) ?? scene.kernel.net.addDevice()) },
  {
    name: "remove device",
    run(scene, a) {
      const device = scene.device(a);
      if (device) device.net.removeDevice(device);
    },
  },
  {
    name: "mkdir of a cgroup",
    run: (scene, a, b) => void scene.kernel.cgroups.create(scene.cgroup(a), "xyz"[b % 3]!),
  },
  { name: "rmdir of a cgroup", run: (scene, a) => scene.kernel.cgroups.remove(scene.cgroup(a)) },
  { name: "migrate", run: (scene, a, b) => scene.proc(a).setCgroup(scene.cgroup(b)) },
  { name: "open cgroup", run: (scene, a, b) => void scene.proc(a).openCgroup(scene.cgroup(b)) },
  {
    name: "forced deletion",
    run(scene, a, b, c) {
      const { kernel } = scene;
      const proc = scene.proc(a);
      if (c % 2) proc.mapDelete(pick([...kernel.maps.values()], b)?.id ?? 99);
      else proc.progUnload(pick([...kernel.progs.values()], b)?.id ?? 99);
    },
  },
  { name: "packets", run: (scene) => scene.packets() },
  ...ATTACH_OPS,
  ...FS_OPS,
];
