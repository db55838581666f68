/**
 * Scenarios: one body for several processes, devices, network namespaces and cgroups, on skep and on the running Linux.
 *
 *     scenarios("links of devices", [
 *       { name: "a second link is refused", run: async (world) => {
 *           const [dev] = await world.veth();
 *           const [a, b] = [await world.process(), await world.process()];
 *           ...
 *           await fails("EBUSY", b.linkCreate({ ... }));
 *       } },
 *     ]);
 *
 * Everything that a body makes belongs to its world and goes with it. Processes, devices and cgroups start in the world's
 * own network namespace (`home`) and below a cgroup of its own; on Linux a process is a process, and nothing is made in the
 * namespaces of the machine but a cgroup and a mount point, which are named skep-PID-... and swept if the test is killed.
 */
import { describe, expect, it } from "vitest";
import { BpfError, EOPNOTSUPP, errnoName } from "../../src/abi/errno.ts";
import type { Bpf, BpfFs, Fd } from "../../src/kernel/bpf.ts";
import type { KernelOptions } from "../../src/kernel/kernel.ts";
import { whyNotLinux } from "./kernels.ts";
import type { SocketCalls } from "./linux_sockets.ts";
import type { CapName } from "./privileges.ts";
import { LinuxWorld } from "./world_linux.ts";
import { SkepWorld } from "./world_skep.ts";

export type { CapName } from "./privileges.ts";

declare const kind: unique symbol;
/** Handles of a world; what they stand for is the kernel's own. */
export interface NetnsRef {
  readonly [kind]: "netns";
}
export interface CgroupRef {
  readonly [kind]: "cgroup";
}
export interface DeviceRef {
  readonly name: string;
  /** In the namespace where it is now. */
  readonly ifindex: number;
  readonly netns: NetnsRef;
}

export interface ProcessOptions {
  /** Default: all. */
  readonly caps?: readonly CapName[];
  /** Default: 0. */
  readonly uid?: number;
  readonly netns?: NetnsRef;
  readonly cgroup?: CgroupRef;
}

/** Methods as promises; what they give has its methods as promises, too. Members that a kernel lacks fail with EOPNOTSUPP. */
export type Remote<T> = {
  readonly [K in keyof T as NonNullable<T[K]> extends (...args: never[]) => unknown ? K : never]-?: NonNullable<
    T[K]
  > extends (...args: infer A) => infer R
    ? (...args: A) => Promise<R extends { close(): void } ? Remote<R> : R>
    : never;
};

/** A process of its own. */
export interface Proc extends Omit<Remote<Bpf>, "onEvent" | "subscribe"> {
  readonly pid: number;
  readonly possibleCpus: number;
  readonly fs: Remote<BpfFs>;
  readonly sock: Remote<SocketCalls>;
  /** The same process for code that does not wait: the loader, tables of steps. */
  readonly bpf: Bpf;
  openCgroup(cgroup: CgroupRef): Promise<Fd>;
  openNetns(netns: NetnsRef): Promise<Fd>;
  /** Gives another process an fd on the same object (SCM_RIGHTS). @returns its number there */
  sendFd(fd: Fd, to: Proc): Promise<Fd>;
  enterCgroup(cgroup: CgroupRef): Promise<void>;
  enterNetns(netns: NetnsRef): Promise<void>;
  exit(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface World {
  readonly kind: "skep" | "linux";
  /** Where processes and devices are unless they are said to be elsewhere. */
  readonly home: NetnsRef;
  /** A directory in a bpffs that is this world's own. */
  readonly pinDir: string;
  process(options?: ProcessOptions): Promise<Proc>;
  netns(): Promise<NetnsRef>;
  /** Gives up the world's reference: the namespace ends with the last process, fd and link in it. */
  removeNetns(netns: NetnsRef): Promise<void>;
  /** Two devices that are up, each the other's wire. */
  veth(a?: NetnsRef, b?: NetnsRef): Promise<[DeviceRef, DeviceRef]>;
  /** A device that moves goes down. */
  moveDevice(dev: DeviceRef, to: NetnsRef): Promise<void>;
  deleteDevice(dev: DeviceRef): Promise<void>;
  setUp(dev: DeviceRef, up?: boolean): Promise<void>;
  /** An IPv4 address, and a route to its neighbours. */
  addAddress(dev: DeviceRef, addr: Uint8Array, prefixLen: number): Promise<void>;
  /** A frame arrives at the device. */
  send(dev: DeviceRef, frame: Uint8Array): Promise<void>;
  /** Below `parent`, default the world's own. */
  cgroup(parent?: CgroupRef): Promise<CgroupRef>;
  removeCgroup(cgroup: CgroupRef): Promise<void>;
  /** Tries until the body does not throw: some things end a moment later on Linux. */
  eventually<T>(body: () => T | Promise<T>): Promise<T>;
  end(): Promise<void>;
}

export interface Scenario {
  readonly name: string;
  /** Why it makes no sense there. */
  readonly notLinux?: string;
  readonly notSkep?: string;
  /** Of the in-process kernel. */
  readonly kernel?: KernelOptions;
  run(world: World): Promise<void>;
}

/** Runs each scenario on both kernels. */
export function scenarios(title: string, table: readonly Scenario[]): void {
  describe(title, () => {
    for (const scenario of table) {
      const { name, notLinux, notSkep } = scenario;
      describe(name, () => {
        it.skipIf(notSkep)(notSkep ? `skep (${notSkep})` : "skep", () =>
          inWorld(new SkepWorld(scenario.kernel), scenario),
        );
        const reason = notLinux ?? whyNotLinux;
        it.skipIf(reason)(notLinux ? `Linux (${notLinux})` : "Linux", () => inWorld(new LinuxWorld(), scenario));
      });
    }
  });
}

async function inWorld(world: World, { run }: Scenario): Promise<void> {
  try {
    await run(world);
  } finally {
    await world.end();
  }
}

/** It fails with that errno. */
export async function fails(errno: string, call: Promise<unknown>): Promise<void> {
  const outcome = await call.then(
    (value) => `success: ${String(value)}`,
    (e: unknown) => {
      if (e instanceof BpfError) return errnoName(e.errno);
      throw e;
    },
  );
  expect(outcome).toBe(errno);
}

/** An object's methods as promises. */
export function remote<T extends object>(object: T): Remote<T> {
  return new Proxy(object, {
    get(_, name) {
      if (name === "then" || typeof name === "symbol") return undefined;
      return async (...args: unknown[]) => {
        const method = object[name as keyof T];
        if (typeof method !== "function") throw new BpfError(EOPNOTSUPP, `this kernel has no ${name}()`);
        const value: unknown = method.apply(object, args);
        return hasMethods(value) ? remote(value) : value;
      };
    },
  }) as Remote<T>;
}

function hasMethods(value: unknown): value is { close(): void } {
  return typeof value === "object" && value !== null && typeof (value as { close?: unknown }).close === "function";
}

/** A Proc of what a kernel has: `own` comes first, all other members are the calls of `bpf`. */
export function procOf(own: Omit<Proc, keyof Remote<Bpf> | "fs" | "sock">, sock: SocketCalls): Proc {
  const calls = remote(own.bpf);
  const fs = remote(own.bpf.fs);
  const members = { fs, sock: remote(sock) };
  return new Proxy(own, {
    get(target, name) {
      if (name === "then") return undefined;
      if (Object.hasOwn(members, name)) return members[name as keyof typeof members];
      if (name in target) {
        const value = target[name as keyof typeof target] as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      }
      return calls[name as keyof typeof calls];
    },
  }) as unknown as Proc;
}
