/**
 * Links of struct_ops maps: no program of their own; they register the map, and unregister it when they end.
 *
 * Errors   EINVAL a map that is not ready (no BPF_F_LINK, nothing in it) or of another struct; ENOLINK an update after the end;
 *          EPERM another old map; EOPNOTSUPP a struct that cannot be replaced; what the subsystem says.
 * Source   bpf_struct_ops_link_create() and below, kernel/bpf/bpf_struct_ops.c.
 */
import * as abi from "../../abi/bpf.ts";
import { BpfError, EINVAL, EOPNOTSUPP } from "../../abi/errno.ts";
import type { Attachment, LinkType } from "../link.ts";
import type { KMap } from "../map.ts";
import type { StructOpsMap } from "./map.ts";

/** @throws EINVAL */
function readyMap(map: KMap): StructOpsMap {
  const ops = map.facts.structOps;
  if (!ops?.ready) throw map.map.error(EINVAL, "it is no struct_ops with BPF_F_LINK and functions in it");
  return ops;
}

export const STRUCT_OPS_LINK: LinkType = {
  type: abi.BPF_LINK_TYPE_STRUCT_OPS,
  progTypes: [],
  attachTypes: [abi.BPF_STRUCT_OPS],
  attach(proc, _prog, attr): Attachment {
    let map = proc.mapAt(attr.mapFd!);
    let current = readyMap(map);
    current.type.reg(current.ops);
    map.get();
    return {
      updateMap(next, expected) {
        const ops = readyMap(next);
        const { type } = ops;
        if (!type.update) throw new BpfError(EOPNOTSUPP, `struct_ops ${ops.struct} cannot be replaced`, {});
        expected();
        if (ops.struct !== current.struct) {
          throw new BpfError(EINVAL, `map '${next.name}' is of ${ops.struct}, not of ${current.struct}`, {});
        }
        type.update(ops.ops, current.ops);
        next.get();
        map.put();
        [map, current] = [next, ops];
      },
      get map() {
        return map;
      },
      detach() {
        current.type.unreg(current.ops);
        map.put();
      },
      forcedDetach: true,
      info: () => ({ mapId: map.id }),
      holds: () => [map],
    };
  },
};
