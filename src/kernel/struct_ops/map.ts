/**
 * BPF_MAP_TYPE_STRUCT_OPS: one element, a kernel struct whose functions are programs.
 *
 * States   INIT (nothing yet) -> update -> INUSE, registered, until the element is deleted: TOBEFREE; with BPF_F_LINK the
 *          update gives READY, and links register it.
 * Errors   EINVAL padding or members that are not zero, a program of another struct or member; EBUSY a second update; E2BIG
 *          another key than 0; ENOENT, EINPROGRESS deleting what was never, or is already, taken away; EOPNOTSUPP deleting
 *          with BPF_F_LINK. What the subsystem says.
 * Holds    its programs; while registered without a link, itself.
 * Source   kernel/bpf/bpf_struct_ops.c.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, E2BIG, EBUSY, EINPROGRESS, EINVAL, ENOENT, ENOTSUPP, EOPNOTSUPP } from "../../abi/errno.ts";
import type { Btf } from "../../btf/btf.ts";
import { BTF_KIND_FUNC_PROTO, BTF_KIND_PTR, BTF_KIND_STRUCT } from "../../btf/kinds.ts";
import type { BpfMap } from "../../maps/bpf_map.ts";
import type { MapAccess } from "../../maps/map_type.ts";
import type { Fd, MapCreateAttr } from "../bpf.ts";
import type { Kernel } from "../kernel.ts";
import type { KMap } from "../map.ts";
import type { Root } from "../objects.ts";
import type { Prog } from "../prog.ts";
import { StructOps } from "./ops.ts";
import type { StructOpsType } from "./types.ts";

export const STRUCT_OPS_STATE = { init: 0, inuse: 1, tobefree: 2, ready: 3 } as const;
const VALUE_PREFIX = "bpf_struct_ops_";

export class StructOpsMap implements MapAccess {
  readonly struct: string;
  readonly type: StructOpsType;
  /** Programs in it, once for each member. */
  readonly progs: Prog[] = [];
  readonly #kernel: Kernel;
  readonly #btf: Btf;
  readonly #structId: number;
  /** Where the struct begins in the value, and where the state is. */
  readonly #dataOff: number;
  readonly #stateOff: number;
  #state: number = STRUCT_OPS_STATE.init;
  #value: Uint8Array<ArrayBuffer>;
  #ops: StructOps | undefined;
  #map: KMap | undefined;

  /** @throws EINVAL, ENOTSUPP as map_alloc() does */
  constructor(kernel: Kernel, attr: MapCreateAttr) {
    const { btf } = kernel.platform;
    const id = attr.btfVmlinuxValueTypeId ?? 0;
    const name = btf && id < btf.typeCount && btf.kind(id) === BTF_KIND_STRUCT ? btf.nameOf(id) : "";
    const data = btf?.findMember(id, "data");
    if ((attr.mapFlags ?? 0) & abi.BPF_F_VTYPE_BTF_OBJ_FD) {
      throw new BpfError(EINVAL, `map '${attr.name ?? ""}': the kernel has no modules with struct_ops`, {});
    }
    if (!btf || !data || !name.startsWith(VALUE_PREFIX)) {
      throw new BpfError(ENOTSUPP, `map '${attr.name ?? ""}': type ${id} is no value of a struct_ops`, { id });
    }
    this.struct = name.slice(VALUE_PREFIX.length);
    this.type = kernel.structOps.at(this.struct);
    if (attr.valueSize !== btf.size(id)) {
      throw new BpfError(EINVAL, `map '${attr.name ?? ""}': value_size ${attr.valueSize}; wanted ${btf.size(id)}`, {
        id,
      });
    }
    this.#kernel = kernel;
    this.#btf = btf;
    this.#structId = btf.resolve(data.type);
    this.#dataOff = data.bitOffset / 8;
    this.#stateOff = (btf.findMember(id, "common.state") ?? btf.findMember(id, "state"))!.bitOffset / 8;
    this.#value = new Uint8Array(attr.valueSize);
  }

  /** The map was made. */
  belongTo(map: KMap): void {
    this.#map = map;
  }

  get state(): number {
    return this.#state;
  }

  get ops(): StructOps {
    if (!this.#ops) throw new Error("struct_ops: not filled");
    return this.#ops;
  }

  /** Links can register it. */
  get ready(): boolean {
    return this.#state === STRUCT_OPS_STATE.ready;
  }

  // --- commands on the element

  lookup(_map: BpfMap, key: Uint8Array): Uint8Array | undefined {
    if (keyOf(key) !== 0) return undefined;
    const value = this.#value.slice();
    if (this.#state === STRUCT_OPS_STATE.init || !this.#map) return value;
    const view = new DataView(value.buffer);
    view.setUint32(this.#stateOff, this.#state, true);
    view.setUint32(this.#stateOff - 4, Math.max(0, this.#map.refs - this.#map.userRefs), true);
    return value;
  }

  update(map: BpfMap, key: Uint8Array, value: Uint8Array, flags: number): void {
    if (flags) throw map.error(EINVAL, `flags ${flags}; wanted 0`);
    if (keyOf(key) !== 0) throw map.error(E2BIG, `key ${keyOf(key)}; there is one element, 0`);
    const bytes = value.slice();
    const data = bytes.subarray(this.#dataOff, this.#dataOff + this.#btf.size(this.#structId));
    const view = new DataView(bytes.buffer);
    if (this.#hasStray(data)) throw map.error(EINVAL, "bytes between members are not zero");
    if (view.getBigUint64(this.#stateOff - 4, true)) throw map.error(EINVAL, "reference count and state must be 0");
    if (this.#state !== STRUCT_OPS_STATE.init) throw map.error(EBUSY, `its state is ${this.#state}`);
    const { progs, members } = this.#collect(map, data);
    const ops = new StructOps(this.#kernel, this.struct, progs, members);
    const linked = (map.flags & abi.BPF_F_LINK) !== 0;
    this.type.validate?.(ops);
    if (!linked) this.type.reg(ops);
    // Nothing fails from here on.
    for (const prog of progs.values()) this.progs.push(prog.get());
    this.#value = bytes;
    this.#ops = ops;
    this.#state = linked ? STRUCT_OPS_STATE.ready : STRUCT_OPS_STATE.inuse;
    if (!linked) this.#map?.get();
  }

  /** The functions, and the bytes of the other members; fds in `data` become ids. */
  #collect(map: BpfMap, data: Uint8Array): { progs: Map<string, Prog>; members: Map<string, Uint8Array> } {
    const progs = new Map<string, Prog>();
    const members = new Map<string, Uint8Array>();
    const view = new DataView(data.buffer, data.byteOffset);
    const btf = this.#btf;
    btf.members(this.#structId).forEach((member, i) => {
      const at = member.bitOffset / 8;
      const bytes = data.subarray(at, at + btf.size(member.type));
      const target = this.#pointedTo(member.type);
      const owner = btf.kind(target) === BTF_KIND_STRUCT && btf.nameOf(target) === "module";
      if (!owner && this.type.initMember?.(member.name, bytes)) {
        members.set(member.name, bytes.slice());
        return;
      }
      if (btf.kind(target) !== BTF_KIND_FUNC_PROTO) {
        if (bytes.some((b) => b !== 0)) throw map.error(EINVAL, `${this.struct}.${member.name} must be 0`);
        return;
      }
      const fd = Number(view.getBigUint64(at, true) & 0xffffffffn);
      if (!fd) return;
      const prog = this.#kernel.caller.progAt(fd as Fd);
      const { attachBtfId, expectedAttachType } = prog.facts;
      const fits = prog.type === abi.BPF_PROG_TYPE_STRUCT_OPS && attachBtfId === this.#structId;
      if (!fits || expectedAttachType !== i) {
        throw map.error(EINVAL, `program '${prog.name}' does not implement ${this.struct}.${member.name}`);
      }
      progs.set(member.name, prog);
      view.setBigUint64(at, BigInt(prog.id), true);
    });
    return { progs, members };
  }

  /** What a member points to; 0 for what is no pointer. */
  #pointedTo(type: number): number {
    const id = this.#btf.resolve(type);
    return this.#btf.kind(id) === BTF_KIND_PTR ? this.#btf.resolve(this.#btf.ref(id)) : 0;
  }

  #hasStray(data: Uint8Array): boolean {
    const rest = data.slice();
    for (const { bitOffset, type } of this.#btf.members(this.#structId)) {
      rest.fill(0, bitOffset / 8, bitOffset / 8 + this.#btf.size(type));
    }
    return rest.some((b) => b !== 0);
  }

  delete(map: BpfMap): void {
    if (map.flags & abi.BPF_F_LINK) throw map.error(EOPNOTSUPP, "its links register and unregister it");
    if (this.#state === STRUCT_OPS_STATE.tobefree) throw map.error(EINPROGRESS, "it is unregistered already");
    if (this.#state !== STRUCT_OPS_STATE.inuse) throw map.error(ENOENT, "nothing is registered");
    this.unregister();
  }

  next(_map: BpfMap, key: Uint8Array | undefined): Uint8Array | undefined {
    return key && keyOf(key) === 0 ? undefined : new Uint8Array(4);
  }

  // --- registration

  /** It is registered by itself, not by a link. */
  get holdsItself(): boolean {
    return this.#state === STRUCT_OPS_STATE.inuse;
  }

  unregister(): void {
    if (!this.holdsItself) return;
    this.#state = STRUCT_OPS_STATE.tobefree;
    this.type.unreg(this.ops);
    this.#map?.put();
  }

  /** The map's last reference is gone. */
  release(): void {
    for (const prog of this.progs.splice(0)) prog.put();
  }
}

/** Maps that are registered without a link, which keeps them alive. */
export function registeredStructOps(kernel: Kernel): readonly Root[] {
  const roots: Root[] = [];
  for (const map of kernel.maps.values()) {
    const { structOps } = map.facts;
    if (!structOps?.holdsItself) continue;
    roots.push({ who: `struct_ops ${structOps.struct}`, obj: map, release: () => structOps.unregister() });
  }
  return roots;
}

function keyOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0, true);
}
