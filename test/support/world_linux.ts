/**
 * The world of a scenario on the running Linux. Processes are Node processes (world_child.ts) that do what this one tells
 * them over a Unix socket; namespaces, devices, cgroups and the bpffs are made here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BpfError, ERRNO, type Errno } from "../../src/abi/errno.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { Bpf, BpfFs, Fd } from "../../src/kernel/bpf.ts";
import { cgroupRoot, Devices, inNetns, type LinuxBpf, linux, newNetns, openPath } from "../../src/node/linux/index.ts";
import { Channel, receivedError } from "./channel.ts";
import { newPinDir, removePinDir } from "./kernels.ts";
import type { SocketCalls } from "./linux_sockets.ts";
import { CAP_BITS } from "./privileges.ts";
import {
  type CgroupRef,
  type DeviceRef,
  type NetnsRef,
  type Proc,
  type ProcessOptions,
  procOf,
  type World,
} from "./world.ts";
import type { AnswerMessage, CallMessage, HelloMessage } from "./world_child.ts";

/** Handles are fds of this process, and paths. */
const netnsOf = (ref: NetnsRef) => (ref as unknown as { fd: Fd }).fd;
const cgroupOf = (ref: CgroupRef) => (ref as unknown as { path: string }).path;
const netnsRef = (fd: Fd) => ({ fd }) as unknown as NetnsRef;
const cgroupRef = (path: string) => ({ path }) as unknown as CgroupRef;

/** How long an answer may take, and what eventually() waits for. */
const ANSWER_SECONDS = 30;
const EVENTUALLY_MS = 3000;

/** Compiled beside this file, or by test/setup/global.ts. */
const CHILD = import.meta.url.endsWith(".ts")
  ? new URL("../../dist/world/test/support/world_child.js", import.meta.url)
  : new URL("./world_child.js", import.meta.url);

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;

interface Device {
  readonly name: string;
  ifindex: number;
  netns: NetnsRef;
  peer: Device;
}

export class LinuxWorld implements World {
  readonly kind = "linux";
  readonly home: NetnsRef;
  readonly pinDir: string;
  readonly #bpf: LinuxBpf;
  readonly #name = `skep-${process.pid}-${Math.random().toString(36).slice(2)}`;
  readonly #cgroups: string[] = [];
  readonly #children = new Set<Child>();
  readonly #childOf = new Map<Proc, Child>();
  #names = 0;

  constructor() {
    this.#bpf = linux();
    this.pinDir = newPinDir(this.#bpf);
    this.home = this.#newNetns();
  }

  #newNetns(): NetnsRef {
    const fd = newNetns(this.#bpf);
    const ref = netnsRef(fd);
    this.#in(ref, (devices) => {
      // Nothing is sent but what the scenario sends: no solicitations of routers and neighbours.
      for (const which of ["all", "default"]) quietly(`/proc/sys/net/ipv6/conf/${which}/disable_ipv6`);
      devices.setUp(devices.byName("lo").ifindex);
    });
    return ref;
  }

  /** Calls the body with this thread in the namespace. */
  #in<T>(netns: NetnsRef, body: (devices: Devices) => T): T {
    return inNetns(this.#bpf, netnsOf(netns), () => {
      using devices = new Devices(this.#bpf.sys);
      return body(devices);
    });
  }

  // --- processes

  async process(options: ProcessOptions = {}): Promise<Proc> {
    const { caps, uid = 0, netns = this.home, cgroup = cgroupRef(this.#top()) } = options;
    const child = new Child(this.#bpf);
    this.#children.add(child);
    const enterCgroup = async (cg: CgroupRef) => writeFileSync(join(cgroupOf(cg), "cgroup.procs"), String(child.pid));
    const enterNetns = async (ns: NetnsRef) => void child.callWithFd("enterNetns", netnsOf(ns));
    await enterCgroup(cgroup);
    await enterNetns(netns);
    child.call("self", "drop", [caps?.map((name) => CAP_BITS[name]), uid]);
    const proc = procOf(
      {
        pid: child.pid,
        possibleCpus: child.hello.possibleCpus,
        bpf: child.bpf,
        openCgroup: async (cg) => this.#give(openPath(this.#bpf, cgroupOf(cg), true), child),
        openNetns: async (ns) => this.#give(this.#bpf.dup(netnsOf(ns)), child),
        sendFd: async (fd, to) => this.#give(child.take(fd), this.#childOf.get(to)!),
        enterCgroup,
        enterNetns,
        exit: () => child.end(),
        kill: () => child.end("SIGKILL"),
      },
      child.object("sock") as SocketCalls,
    );
    this.#childOf.set(proc, child);
    return proc;
  }

  /** An fd of this process becomes one of the child's. */
  #give(fd: Fd, child: Child): Fd {
    try {
      return child.callWithFd("take", fd) as Fd;
    } finally {
      this.#bpf.close(fd);
    }
  }

  // --- namespaces and devices

  async netns(): Promise<NetnsRef> {
    return this.#newNetns();
  }

  async removeNetns(netns: NetnsRef): Promise<void> {
    this.#bpf.close(netnsOf(netns));
  }

  async veth(a = this.home, b = a): Promise<[DeviceRef, DeviceRef]> {
    const n = this.#names++;
    const names = [`veth${n}a`, `veth${n}b`] as const;
    const [first, second] = this.#in(a, (devices) => {
      const made = devices.addVeth(...names);
      if (b !== a) devices.move(made[1].ifindex, netnsOf(b));
      return made;
    });
    const one = { name: first.name, ifindex: first.ifindex, netns: a } as Device;
    const other: Device = { name: second.name, ifindex: second.ifindex, netns: b, peer: one };
    one.peer = other;
    if (b !== a) this.#lookAgain(other);
    for (const dev of [one, other]) await this.setUp(dev as unknown as DeviceRef);
    return [one as unknown as DeviceRef, other as unknown as DeviceRef];
  }

  /** Its index in the namespace where it is now. */
  #lookAgain(dev: Device): void {
    dev.ifindex = this.#in(dev.netns, (devices) => devices.byName(dev.name).ifindex);
  }

  async moveDevice(dev: DeviceRef, to: NetnsRef): Promise<void> {
    this.#in(dev.netns, (devices) => devices.move(dev.ifindex, netnsOf(to)));
    const device = deviceOf(dev);
    device.netns = to;
    this.#lookAgain(device);
  }

  async deleteDevice(dev: DeviceRef): Promise<void> {
    this.#in(dev.netns, (devices) => devices.remove(dev.ifindex));
  }

  async setUp(dev: DeviceRef, up = true): Promise<void> {
    this.#in(dev.netns, (devices) => devices.setUp(dev.ifindex, up));
  }

  async addAddress(dev: DeviceRef, addr: Uint8Array, prefixLen: number): Promise<void> {
    this.#in(dev.netns, (devices) => devices.addAddress(dev.ifindex, addr, prefixLen));
  }

  /** The other end of the pair sends it. */
  async send(dev: DeviceRef, frame: Uint8Array): Promise<void> {
    const { peer } = deviceOf(dev);
    const { sys } = this.#bpf;
    this.#in(peer.netns, () => {
      const socket = sys.must("packet socket", "socket", AF_PACKET, SOCK_RAW_CLOEXEC, 0);
      const to = sockaddrLl(peer.ifindex);
      sys.keep = [frame, to];
      const args = [sys.addressOf(frame), frame.length, 0, sys.addressOf(to), to.length] as const;
      const sent = sys.call("sendto", socket, ...args);
      sys.call("close", socket);
      if (sent < 0) throw new BpfError(-sent as Errno, `frame for ${dev.name} sent by ${peer.name}`);
    });
  }

  // --- cgroups

  async cgroup(parent?: CgroupRef): Promise<CgroupRef> {
    return this.#mkdir(`${parent ? cgroupOf(parent) : this.#top()}/c${this.#names++}`);
  }

  /** Where the processes and cgroups of this world are. */
  #top(): string {
    const top = join(cgroupRoot(), this.#name);
    if (!this.#cgroups.includes(top)) this.#mkdir(top);
    return top;
  }

  #mkdir(path: string): CgroupRef {
    mkdirSync(path);
    this.#cgroups.push(path);
    return cgroupRef(path);
  }

  async removeCgroup(cgroup: CgroupRef): Promise<void> {
    this.#rmdir(cgroupOf(cgroup));
  }

  #rmdir(path: string): void {
    try {
      rmdirSync(path);
    } catch (e) {
      const { code } = e as { code: keyof typeof ERRNO };
      throw new BpfError(ERRNO[code], `cgroup ${path}`, { path }, e);
    }
    this.#cgroups.splice(this.#cgroups.indexOf(path), 1);
  }

  // --- the end

  async eventually<T>(body: () => T | Promise<T>): Promise<T> {
    for (const end = performance.now() + EVENTUALLY_MS; ; ) {
      try {
        return await body();
      } catch (e) {
        if (performance.now() > end) throw e;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  async end(): Promise<void> {
    for (const child of this.#children) await child.end("SIGKILL");
    removePinDir(this.#bpf, this.pinDir);
    for (const path of [...this.#cgroups].reverse()) await this.eventually(() => this.#rmdir(path));
    this.#bpf[Symbol.dispose]();
  }
}

/** A process that does what it is told. */
class Child {
  readonly hello: HelloMessage;
  readonly bpf: Bpf;
  readonly #process: ChildProcess;
  readonly #channel: Channel;
  readonly #owner: LinuxBpf;
  readonly #ended: Promise<void>;
  #alive = true;

  constructor(owner: LinuxBpf) {
    this.#owner = owner;
    const [here, there] = owner.socketPair();
    this.#process = spawn(process.execPath, [fileURLToPath(CHILD)], { stdio: ["ignore", "ignore", "inherit", there] });
    owner.close(there);
    this.#ended = new Promise((resolve) => this.#process.once("exit", () => resolve()));
    this.#channel = new Channel(owner, here, ANSWER_SECONDS);
    this.hello = this.#receive() as HelloMessage;
    const fs = this.object("fs") as BpfFs;
    this.bpf = this.object("bpf", { fs, possibleCpus: this.hello.possibleCpus }) as unknown as Bpf;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  #receive(): unknown {
    const message = this.#channel.receive();
    if (message === undefined) throw new Error(`process ${this.pid} of the scenario has ended`);
    return message;
  }

  call(target: CallMessage["target"], method: string, args: readonly unknown[]): unknown {
    this.#send({ target, method, args });
    return this.#answer();
  }

  /** A call of the process itself with an fd of ours. */
  callWithFd(method: string, fd: Fd): unknown {
    this.#send({ target: "self", method, args: [] });
    this.#channel.sendFd(fd);
    return this.#answer();
  }

  /** An fd of the child becomes one of ours. @throws EBADF */
  take(fd: Fd): Fd {
    this.call("self", "give", [fd]);
    return this.#channel.receiveFd();
  }

  #send(call: CallMessage): void {
    if (!this.#alive) throw new Error(`${call.method}(): process ${this.pid} of the scenario has ended`);
    this.#channel.send(call);
  }

  #answer(): unknown {
    const answer = this.#receive() as AnswerMessage;
    if ("error" in answer) throw receivedError(answer.error);
    return "object" in answer ? this.object(answer.object, {}, answer.methods) : answer.value;
  }

  /** Something of the child's whose methods are called there. */
  object(target: CallMessage["target"], members: object = {}, methods = this.hello.methods[target]!): object {
    const calls = methods.map((method) => [method, (...args: unknown[]) => this.call(target, method, args)]);
    return { ...Object.fromEntries(calls), ...members };
  }

  async end(signal?: "SIGKILL"): Promise<void> {
    if (this.#alive) {
      this.#alive = false;
      if (signal) this.#process.kill(signal);
      this.#owner.close(this.#channel.socket);
    }
    await this.#ended;
  }
}

const deviceOf = (ref: DeviceRef) => ref as unknown as Device;

/** struct sockaddr_ll: family, protocol, ifindex; the rest is for receivers. */
function sockaddrLl(ifindex: number): Uint8Array {
  return new ByteWriter(20).u16(AF_PACKET).u16(0).u32(ifindex).u32(0).u32(0).u32(0).finish();
}

/** Writes 1 to a setting that the kernel may lack. */
function quietly(path: string): void {
  try {
    writeFileSync(path, "1");
  } catch (e) {
    if ((e as { code?: string }).code !== "ENOENT") throw e;
  }
}
