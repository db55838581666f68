/** The frame of scenarios: what several processes do to each other's objects, and what a world's things are. */
import { expect } from "vitest";
import * as abi from "../../src/abi/bpf.ts";
import { assemble } from "../../src/isa/assemble.ts";
import { encode } from "../../src/isa/codec.ts";
import type { Fd, MapCreateAttr } from "../../src/kernel/bpf.ts";
import { frame } from "../support/kernel.ts";
import { fails, type Proc, scenarios, type World } from "../support/world.ts";

const ARRAY: MapCreateAttr = { mapType: abi.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 };
const KEY = new Uint8Array(4);
const A = Uint8Array.of(10, 0, 0, 1);
const B = Uint8Array.of(10, 0, 0, 2);

/** Counts its runs in the array, and gives `ret`. */
async function counter(proc: Proc, map: Fd, progType: number, ret: number, expectedAttachType = 0): Promise<Fd> {
  const { insns } = assemble(`
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map_fd[${map}] ll
    call map_lookup_elem
    if r0 == 0 goto end
    r1 = 1
    lock *(u64 *)(r0 + 0) += r1
  end:
    r0 = ${ret}
    exit`);
  return (await proc.progLoad({ progType, expectedAttachType, license: "GPL", insns: encode(insns) })).fd;
}

async function count(proc: Proc, map: Fd): Promise<number> {
  return Number(new DataView((await proc.mapLookupElem(map, KEY)).buffer).getBigUint64(0, true));
}

async function xdpLink(world: World, proc: Proc) {
  const [dev, peer] = await world.veth();
  const map = await proc.mapCreate(ARRAY);
  const progFd = await counter(proc, map, abi.BPF_PROG_TYPE_XDP, abi.XDP_PASS, abi.BPF_XDP);
  const link = await proc.linkCreate({ progFd, attachType: abi.BPF_XDP, targetIfindex: dev.ifindex });
  return { dev, peer, map, link };
}

scenarios("processes of a world", [
  {
    name: "an fd that is passed is another number for the same object, which lives as long as one of them",
    async run(world) {
      const [a, b] = [await world.process(), await world.process()];
      expect(a.pid).not.toBe(b.pid);
      const mine = await a.mapCreate(ARRAY);
      await b.mapCreate(ARRAY);
      const theirs = await a.sendFd(mine, b);
      const { id } = await a.mapInfo(mine);
      expect((await b.mapInfo(theirs)).id).toBe(id);
      await a.mapUpdateElem(mine, KEY, new Uint8Array(8).fill(7));
      await a.exit();
      expect(await b.mapLookupElem(theirs, KEY)).toEqual(new Uint8Array(8).fill(7));
      await b.close(theirs);
      const c = await world.process();
      await world.eventually(() => fails("ENOENT", c.mapGetFdById(id)));
      await fails("EBADF", b.sendFd(theirs, c));
    },
  },
  {
    name: "what a killed process had open ends; its pins stay",
    async run(world) {
      const [a, b] = [await world.process(), await world.process()];
      const ids: number[] = [];
      for (const name of ["pinned", "open"]) {
        const fd = await a.mapCreate(ARRAY);
        ids.push((await a.mapInfo(fd)).id);
        if (name === "pinned") await a.objPin(fd, `${world.pinDir}/pinned`);
      }
      await a.kill();
      const fd = await b.objGet(`${world.pinDir}/pinned`);
      expect((await b.mapInfo(fd)).id).toBe(ids[0]);
      await world.eventually(() => fails("ENOENT", b.mapGetFdById(ids[1]!)));
      await b.fs.unlink(`${world.pinDir}/pinned`);
    },
  },
  {
    name: "capabilities and users are those that were asked for",
    async run(world) {
      const [root, plain, bpfOnly] = [
        await world.process(),
        await world.process({ caps: [], uid: 1000 }),
        await world.process({ caps: ["bpf"], uid: 1000 }),
      ];
      await fails("EPERM", plain.mapCreate(ARRAY));
      const fd = await bpfOnly.mapCreate(ARRAY);
      expect((await bpfOnly.mapInfo(fd)).maxEntries).toBe(1);
      await fails("EPERM", bpfOnly.mapGetFdById((await bpfOnly.mapInfo(fd)).id));
      await fails("EPERM", counter(bpfOnly, fd, abi.BPF_PROG_TYPE_XDP, 2));
      expect((await root.mapInfo(await bpfOnly.sendFd(fd, root))).id).toBe((await bpfOnly.mapInfo(fd)).id);
    },
  },
]);

scenarios("devices of a world", [
  {
    name: "frames meet the program of a link; another process cannot replace it; it ends with its fd",
    async run(world) {
      const [a, b] = [await world.process(), await world.process()];
      const { dev, peer, map, link } = await xdpLink(world, a);
      for (let i = 0; i < 3; i++) await world.send(dev, frame(64));
      await world.send(peer, frame(64));
      await world.eventually(async () => expect(await count(a, map)).toBe(3));
      const other = await counter(b, await b.mapCreate(ARRAY), abi.BPF_PROG_TYPE_XDP, abi.XDP_PASS, abi.BPF_XDP);
      const attr = { progFd: other, attachType: abi.BPF_XDP, targetIfindex: dev.ifindex };
      await fails("EBUSY", b.linkCreate(attr));
      await a.close(link);
      await world.eventually(() => b.linkCreate(attr));
    },
  },
  {
    name: "a device that moves keeps its program; one that is deleted leaves a defunct link",
    async run(world) {
      const [a, there] = [await world.process(), await world.netns()];
      const { dev, map, link } = await xdpLink(world, a);
      await world.moveDevice(dev, there);
      await world.setUp(dev);
      await world.send(dev, frame(64));
      await world.eventually(async () => expect(await count(a, map)).toBe(1));
      await world.deleteDevice(dev);
      expect((await a.linkInfo(link)).ifindex).toBe(0);
    },
  },
  {
    name: "namespaces have their own devices",
    async run(world) {
      const there = await world.netns();
      const [here, inside] = [await world.process(), await world.process({ netns: there })];
      const [dev] = await world.veth();
      const prog = async (p: Proc) => counter(p, await p.mapCreate(ARRAY), abi.BPF_PROG_TYPE_XDP, 2, abi.BPF_XDP);
      const attr = { attachType: abi.BPF_XDP, targetIfindex: dev.ifindex };
      await fails("EINVAL", inside.linkCreate({ ...attr, progFd: await prog(inside) }));
      await here.linkCreate({ ...attr, progFd: await prog(here) });
      await inside.enterNetns(world.home);
      await fails("EBUSY", inside.linkCreate({ ...attr, progFd: await prog(inside) }));
    },
  },
]);

scenarios("cgroups and sockets of a world", [
  {
    name: "a program of a cgroup sees what sockets of processes in it send, in another namespace, too",
    async run(world) {
      const [there, top] = [await world.netns(), await world.cgroup()];
      const inner = await world.cgroup(top);
      const [dev, peer] = await world.veth(world.home, there);
      await world.addAddress(dev, A, 24);
      await world.addAddress(peer, B, 24);
      const [admin, client] = [await world.process(), await world.process({ cgroup: inner })];
      const server = await world.process({ netns: there });
      const map = await admin.mapCreate(ARRAY);
      const attachType = abi.BPF_CGROUP_INET_EGRESS;
      const progFd = await counter(admin, map, abi.BPF_PROG_TYPE_CGROUP_SKB, 1, attachType);
      await admin.progAttach({ progFd, attachType, targetFd: await admin.openCgroup(top) });

      const [from, to] = [await client.sock.socket("udp4"), await server.sock.socket("udp4")];
      await server.sock.bind(to, { addr: B, port: 5000 });
      await client.sock.sendto(from, Uint8Array.of(1, 2, 3), { addr: B, port: 5000 });
      const got = await world.eventually(() => server.sock.recvfrom(to));
      expect([got.data, got.from.addr]).toEqual([Uint8Array.of(1, 2, 3), A]);
      await server.sock.sendto(to, Uint8Array.of(4), got.from);
      await world.eventually(() => client.sock.recvfrom(from));
      // SOL_SOCKET, SO_MARK: what was set is what is read; room for less is not written over.
      await client.sock.setsockopt(from, 1, 36, Uint8Array.of(9, 1, 0, 0));
      expect(await client.sock.getsockopt(from, 1, 36, 4)).toEqual(Uint8Array.of(9, 1, 0, 0));
      expect(await client.sock.getsockopt(from, 1, 36, 2)).toEqual(Uint8Array.of(9, 1));
      expect(await count(admin, map)).toBe(1);
    },
  },
  {
    name: "a cgroup with processes stays; one that is removed leaves a defunct link",
    async run(world) {
      const cg = await world.cgroup();
      const [admin, member] = [await world.process(), await world.process({ cgroup: cg })];
      const attachType = abi.BPF_CGROUP_INET_EGRESS;
      const progFd = await counter(admin, await admin.mapCreate(ARRAY), abi.BPF_PROG_TYPE_CGROUP_SKB, 1, attachType);
      const targetFd = await admin.openCgroup(cg);
      const link = await admin.linkCreate({ progFd, attachType, targetFd });
      await fails("EBUSY", world.removeCgroup(cg));
      await member.exit();
      await world.removeCgroup(cg);
      await world.eventually(async () => expect((await admin.linkInfo(link)).cgroupId).toBe(0n));
      const attr = { progFd, attachType, targetFd };
      await fails("ENOENT", admin.linkCreate(attr));
      await fails("ENOENT", admin.progAttach(attr));
      await fails("ENOENT", admin.progDetach(attr));
      await fails("ENOENT", admin.progQuery({ attachType, targetFd }));
      await fails("ENOLINK", admin.linkUpdate(link, progFd));
      await admin.linkDetach(link);
    },
  },
]);
