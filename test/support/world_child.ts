/**
 * A process of a scenario on the running Linux: makes the calls that come over fd 3 and answers them, one after the other.
 *
 * An answer is plain data, or stands for an object that stays here (a reader of a ring), whose calls then name it by number.
 * The process ends when the other end of the socket is closed.
 */
import type { Bpf, Fd } from "../../src/kernel/bpf.ts";
import { LinuxBpf } from "../../src/node/linux/index.ts";
import { Channel, type SentError, sentError } from "./channel.ts";
import { LinuxSockets } from "./linux_sockets.ts";
import { dropPrivileges } from "./privileges.ts";

export interface CallMessage {
  /** "bpf", "fs", "sock", "self", or the number of an object. */
  readonly target: string | number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export type AnswerMessage =
  | { readonly value: unknown }
  | { readonly object: number; readonly methods: readonly string[] }
  | { readonly error: SentError };

/** The first message: what can be called on each target. */
export interface HelloMessage {
  readonly methods: Readonly<Record<string, readonly string[]>>;
  readonly possibleCpus: number;
}

export const CHANNEL_FD = 3 as Fd;

/** What a scenario asks of the process itself. */
class Self {
  readonly #bpf: LinuxBpf;
  readonly #channel: Channel;

  constructor(bpf: LinuxBpf, channel: Channel) {
    this.#bpf = bpf;
    this.#channel = channel;
  }

  /** The fd goes over the channel, after the answer. */
  give(fd: Fd): void {
    const copy = this.#bpf.dup(fd);
    queueMicrotask(() => {
      this.#channel.sendFd(copy);
      this.#bpf.close(copy);
    });
  }

  /** The fd lies on the channel, behind this call. */
  take(): Fd {
    return this.#channel.receiveFd();
  }

  /** Enters the network namespace that comes over the channel. */
  enterNetns(): void {
    const fd = this.take();
    this.#bpf.sys.must("network namespace", "setns", fd, 0);
    this.#bpf.close(fd);
  }

  drop(caps: readonly number[] | undefined, uid: number): void {
    dropPrivileges(this.#bpf.sys, caps, uid);
  }
}

function methodsOf(object: object): string[] {
  const names = new Set<string>();
  for (let at = object; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === "function" && name !== "constructor") names.add(name);
    }
  }
  return [...names];
}

function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Array.isArray(value)) return true;
  const proto = Object.getPrototypeOf(value);
  const plain = proto === Object.prototype || proto === null || proto === Map.prototype || proto === Set.prototype;
  return plain && !Object.values(value).some((member) => typeof member === "function");
}

async function serve(bpf: LinuxBpf): Promise<void> {
  const channel = new Channel(bpf, CHANNEL_FD, 0);
  const targets = new Map<string | number, Record<string, (...args: unknown[]) => unknown>>();
  const roots = { bpf: bpf as Bpf, fs: bpf.fs, sock: new LinuxSockets(bpf), self: new Self(bpf, channel) };
  for (const [name, object] of Object.entries(roots)) targets.set(name, object as never);
  const methods = Object.fromEntries(Object.entries(roots).map(([name, object]) => [name, methodsOf(object)]));
  channel.send({ methods, possibleCpus: bpf.possibleCpus } satisfies HelloMessage);

  const answer = ({ target, method, args }: CallMessage): AnswerMessage => {
    try {
      const value = targets.get(target)![method]!(...args);
      if (isPlain(value)) return { value };
      const object = targets.size;
      targets.set(object, value as never);
      return { object, methods: methodsOf(value as object) };
    } catch (e) {
      return { error: sentError(e) };
    }
  };
  for (let call = channel.receive(); call; call = channel.receive()) {
    channel.send(answer(call as CallMessage));
    // what a call wants to do after its answer
    await undefined;
  }
}

// The first look whether bpf(2) is permitted needs the privileges that a scenario may drop later.
await serve(new LinuxBpf());
process.exit();
