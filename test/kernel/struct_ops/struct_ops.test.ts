/** struct_ops maps and links: the same on skep and on Linux; and who calls the functions in skep. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as abi from "../../../src/abi/bpf.ts";
import { BTF_KIND_STRUCT } from "../../../src/btf/kinds.ts";
import type { Bpf, Fd } from "../../../src/kernel/bpf.ts";
import { STRUCT_OPS_STATE } from "../../../src/kernel/struct_ops/map.ts";
import { type BpfObject, openObject } from "../../../src/loader/object.ts";
import { errnoOf } from "../../support/errno.ts";
import { load, u32, u64, withKernel } from "../../support/kernel.ts";
import { onKernels } from "../../support/kernels.ts";

const bytes = new Uint8Array(readFileSync(new URL("cong.o", import.meta.url)));
const ZERO = u32(0);
/** u32 refcnt, u32 state. */
const stateOf = (bpf: Bpf, map: { fd: Fd }) => new DataView(bpf.mapLookupElem(map.fd, ZERO).buffer).getUint32(4, true);
const refsOf = (bpf: Bpf, map: { fd: Fd }) => new DataView(bpf.mapLookupElem(map.fd, ZERO).buffer).getUint32(0, true);

const open = (bpf: Bpf): BpfObject => openObject(bytes, { name: "cong.o" }).load(bpf);

/** Nothing stays registered, whatever a test ends in: such a map needs no process to live. */
function unregistering(bpf: Bpf, obj: BpfObject, body: () => void): void {
  try {
    body();
  } finally {
    errnoOf(() => bpf.mapDeleteElem(obj.maps["plain"]!.fd, ZERO));
  }
}

describe("struct_ops", () => {
  onKernels("a map that registers itself: its states, and what each command says in them", (bpf) => {
    const obj = open(bpf);
    const map = obj.maps["plain"]!;
    unregistering(bpf, obj, () => {
      expect(stateOf(bpf, map)).toBe(STRUCT_OPS_STATE.init);
      expect(errnoOf(() => bpf.mapDeleteElem(map.fd, ZERO))).toBe("ENOENT");
      expect(obj.attachStructOps("plain")).toBeUndefined();
      expect(stateOf(bpf, map)).toBe(STRUCT_OPS_STATE.inuse);
      expect(refsOf(bpf, map)).toBe(1);
      const value = bpf.mapLookupElem(map.fd, ZERO);
      expect(errnoOf(() => bpf.mapUpdateElem(map.fd, ZERO, value))).toBe("EINVAL");
      expect(errnoOf(() => obj.attachStructOps("plain"))).toBe("EBUSY");
      expect(errnoOf(() => bpf.mapLookupElem(map.fd, u32(1)))).toBe("ENOENT");
      expect(bpf.mapGetNextKey(map.fd, undefined)).toEqual(ZERO);
      expect(bpf.mapGetNextKey(map.fd, ZERO)).toBeUndefined();
      expect(errnoOf(() => bpf.linkCreate({ progFd: map.fd, mapFd: map.fd, attachType: abi.BPF_STRUCT_OPS }))).toBe(
        "EINVAL",
      );
      bpf.mapDeleteElem(map.fd, ZERO);
      expect(stateOf(bpf, map)).toBe(STRUCT_OPS_STATE.tobefree);
      expect(errnoOf(() => bpf.mapDeleteElem(map.fd, ZERO))).toBe("EINPROGRESS");
      expect(errnoOf(() => obj.attachStructOps("plain"))).toBe("EBUSY");
    });
  });

  onKernels("what an update refuses leaves the map as it was", (bpf) => {
    const obj = open(bpf);
    const map = obj.maps["plain"]!;
    const size = bpf.mapInfo(map.fd).valueSize;
    const raw = (key: number, value: Uint8Array, flags = 0n) =>
      errnoOf(() => bpf.mapUpdateElem(map.fd, u32(key), value, flags));
    const state = new Uint8Array(size);
    state[4] = 1;
    expect({
      "members that are missing": errnoOf(() => obj.attachStructOps("lacking")),
      "no name": raw(0, new Uint8Array(size)),
      "another key": raw(1, new Uint8Array(size)),
      "a state": raw(0, state),
      flags: raw(0, new Uint8Array(size), 1n),
      batches: errnoOf(() => bpf.mapUpdateBatch(map.fd, ZERO, new Uint8Array(size), 1)),
      freezing: errnoOf(() => bpf.mapFreeze(map.fd)),
    }).toEqual({
      "members that are missing": "EINVAL",
      "no name": "EINVAL",
      "another key": "E2BIG",
      "a state": "EINVAL",
      flags: "EINVAL",
      batches: "ENOTSUPP",
      freezing: "ENOTSUPP",
    });
    expect(stateOf(bpf, map)).toBe(STRUCT_OPS_STATE.init);
    unregistering(bpf, obj, () => {
      obj.attachStructOps("plain");
      expect(stateOf(bpf, map)).toBe(STRUCT_OPS_STATE.inuse);
    });
  });

  onKernels("links: registered by the link, replaced by another map of the same name, gone with it", (bpf) => {
    const obj = open(bpf);
    const { first, second, other } = obj.maps as Record<string, { fd: Fd }>;
    expect(stateOf(bpf, first!)).toBe(STRUCT_OPS_STATE.ready);
    expect(errnoOf(() => bpf.mapDeleteElem(first!.fd, ZERO))).toBe("EOPNOTSUPP");
    const link = obj.attachStructOps("first")!;
    const id = (map: { fd: Fd }) => bpf.mapInfo(map.fd).id;
    expect(link.info()).toMatchObject({ type: abi.BPF_LINK_TYPE_STRUCT_OPS, progId: 0, mapId: id(first!) });
    expect({
      "a taken name": errnoOf(() => obj.attachStructOps("second")),
      "an update to another name": errnoOf(() => link.update(other!)),
      "an update from a map that is not there": errnoOf(() => link.update(second!, other!)),
      "an update to a map that registers itself": errnoOf(() => link.update(obj.maps["plain"]!)),
      "an update to a program": errnoOf(() => link.update(obj.progs["ssthresh"]!)),
    }).toEqual({
      "a taken name": "EEXIST",
      "an update to another name": "EINVAL",
      "an update from a map that is not there": "EPERM",
      "an update to a map that registers itself": "EINVAL",
      "an update to a program": "EINVAL",
    });
    link.update(second!, first!);
    expect(link.info().mapId).toBe(id(second!));
    link.detach();
    expect(link.info().mapId ?? 0).toBe(0);
    expect(errnoOf(() => link.update(first!))).toBe("ENOLINK");
    link.detach();
    // The name is free again; the last reference unregisters, too.
    obj.attachStructOps("first")!.close();
    obj.attachStructOps("second")!.close();
  });

  onKernels("maps of structs that there are not", (bpf) => {
    const create = (more: object) =>
      errnoOf(() =>
        bpf.mapCreate({ mapType: abi.BPF_MAP_TYPE_STRUCT_OPS, keySize: 4, valueSize: 64, maxEntries: 1, ...more }),
      );
    expect({
      "no type": create({}),
      "a type that is no struct_ops": create({ btfVmlinuxValueTypeId: 1 }),
      "two entries": create({ btfVmlinuxValueTypeId: 1, maxEntries: 2 }),
      "a key of 8 bytes": create({ btfVmlinuxValueTypeId: 1, keySize: 8 }),
    }).toEqual({
      "no type": "EINVAL",
      "a type that is no struct_ops": "ENOTSUPP",
      "two entries": "EINVAL",
      "a key of 8 bytes": "EINVAL",
    });
  });
});

describe("struct_ops in the simulated kernel", () => {
  it("the subsystem calls the functions; a replaced set takes over", () =>
    withKernel((kernel, proc) => {
      const obj = open(proc);
      const { tcpCongestion } = kernel.structOps;
      expect(tcpCongestion.find("skep_link")).toBeUndefined();
      const link = obj.attachStructOps("first")!;
      const ops = tcpCongestion.find("skep_link")!;
      expect(ops.call("ssthresh", [0n])).toBe(7n);
      ops.call("cong_avoid", [0n, 5n, 3n]);
      expect(obj.bss["acks"]).toBe(3);
      expect(ops.has("set_state")).toBe(false);
      link.update(obj.maps["second"]!);
      expect(tcpCongestion.find("skep_link")).not.toBe(ops);
      link.close();
      expect(tcpCongestion.names).toEqual(["reno", "cubic"]);
    }));

  it("a registered map lives on without fds, until its element is deleted", () =>
    withKernel((kernel, proc) => {
      const obj = open(proc);
      obj.attachStructOps("plain");
      const { id } = proc.mapInfo(obj.maps["plain"]!.fd);
      obj.close();
      expect(kernel.structOps.tcpCongestion.find("skep_plain")?.call("undo_cwnd", [0n])).toBe(10n);
      const fd = proc.mapGetFdById(id);
      proc.mapDeleteElem(fd, ZERO);
      proc.close(fd);
      expect(kernel.maps.find(id)).toBeUndefined();
    }));

  it("bpf_dummy_ops: test runs", () =>
    withKernel((kernel, proc) => {
      const btf = kernel.platform.btf!;
      const dummy = (expectedAttachType: number, asm: string) =>
        load(proc, asm, {
          progType: abi.BPF_PROG_TYPE_STRUCT_OPS,
          attachBtfId: btf.byName("bpf_dummy_ops", BTF_KIND_STRUCT),
          expectedAttachType,
        });
      const test1 = dummy(
        0,
        "r1 = *(u64 *)(r1 + 0)\n r0 = 9\n if r1 == 0 goto out\n r0 = *(u32 *)(r1 + 0)\n r2 = 5\n *(u32 *)(r1 + 0) = r2\nout:\n exit",
      );
      expect(proc.progTestRun(test1, { ctxIn: u64(0n) }).retval).toBe(9);
      expect(proc.progTestRun(test1, { ctxIn: u64(1n), dataIn: u32(77) })).toMatchObject({
        retval: 77,
        dataOut: u32(5),
      });
      expect(errnoOf(() => proc.progTestRun(test1, { ctxIn: u64(0n, 1n) }))).toBe("EINVAL");
      expect(errnoOf(() => proc.progTestRun(test1, { ctxIn: u64(1n) }))).toBe("EFAULT");
      const test2 = dummy(1, "r0 = *(u64 *)(r1 + 8)\n r2 = *(u64 *)(r1 + 32)\n r0 += r2\n exit");
      expect(proc.progTestRun(test2, { ctxIn: u64(1n, 4n, 0n, 0n, 38n), dataIn: u32(0) }).retval).toBe(42);
      expect(errnoOf(() => proc.progTestRun(test2, { ctxIn: u64(0n, 4n, 0n, 0n, 38n) }))).toBe("EINVAL");
      const cong = open(proc).progs["ssthresh"]!.fd;
      expect(errnoOf(() => proc.progTestRun(cong, { ctxIn: u64(0n) }))).toBe("EOPNOTSUPP");
    }));

  it("a program taken away by force ends what it implements", () =>
    withKernel((kernel, proc) => {
      const obj = open(proc);
      obj.attachStructOps("first");
      proc.progUnload(proc.progInfo(obj.progs["ssthresh"]!.fd).id);
      expect(kernel.structOps.tcpCongestion.names).toEqual(["reno", "cubic"]);
    }));
});
