/**
 * Messages over a Unix socket that both ends read waiting: u32 length, then the value as v8 writes it.
 *
 * Whoever asks stands still until the answer is there, so that calls of another process look like calls of one's own.
 */
import { DefaultDeserializer, serialize } from "node:v8";
import { BpfError, type Errno } from "../../src/abi/errno.ts";
import type { Fd } from "../../src/kernel/bpf.ts";
import type { LinuxBpf } from "../../src/node/linux/index.ts";
import { VerifierError } from "../../src/verifier/error.ts";

const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const HEADER = 4;
const EINTR = 4;

export class Channel {
  readonly #bpf: LinuxBpf;
  readonly socket: Fd;

  /** @param waitSeconds after which a reader gives up; 0 = never */
  constructor(bpf: LinuxBpf, socket: Fd, waitSeconds: number) {
    this.#bpf = bpf;
    this.socket = socket;
    const timeval = new Uint8Array(new BigUint64Array([BigInt(waitSeconds), 0n]).buffer);
    const { sys } = bpf;
    sys.keep = [timeval];
    sys.must("channel", "setsockopt", socket, SOL_SOCKET, SO_RCVTIMEO, sys.addressOf(timeval), timeval.length);
  }

  send(value: unknown): void {
    const body = serialize(value);
    const bytes = new Uint8Array(HEADER + body.length);
    new DataView(bytes.buffer).setUint32(0, body.length, true);
    bytes.set(body, HEADER);
    this.#all("write", bytes);
  }

  /** undefined: the other end is closed. */
  receive(): unknown {
    const header = new Uint8Array(HEADER);
    if (!this.#all("read", header)) return undefined;
    const body = new Uint8Array(new DataView(header.buffer).getUint32(0, true));
    return this.#all("read", body) ? read(body) : undefined;
  }

  sendFd(fd: Fd): void {
    this.#bpf.sendFd(this.socket, fd);
  }

  receiveFd(): Fd {
    return this.#bpf.receiveFd(this.socket);
  }

  #all(name: "read" | "write", bytes: Uint8Array): boolean {
    const { sys } = this.#bpf;
    for (let at = 0; at < bytes.length; ) {
      sys.keep = [bytes];
      const n = sys.call(name, this.socket, sys.addressOf(bytes) + at, bytes.length - at);
      if (n === -EINTR) continue;
      if (n < 0) throw new BpfError(-n as Errno, `channel: ${name}`);
      if (n === 0) return false;
      at += n;
    }
    return true;
  }
}

/** Byte arrays of a message have memory of their own, as those of a call have. */
class Deserializer extends DefaultDeserializer {
  _readHostObject(): unknown {
    const value = (DefaultDeserializer.prototype as unknown as Deserializer)._readHostObject.call(this);
    return value instanceof Uint8Array ? Uint8Array.from(value) : value;
  }
}

function read(body: Uint8Array): unknown {
  const reader = new Deserializer(body);
  reader.readHeader();
  return reader.readValue();
}

/** An error as a message carries it. */
export interface SentError {
  /** undefined: no BpfError, but a bug. */
  readonly errno: Errno | undefined;
  readonly message: string;
  readonly log: string | undefined;
}

export function sentError(e: unknown): SentError {
  if (!(e instanceof BpfError)) {
    return { errno: undefined, message: e instanceof Error ? (e.stack ?? e.message) : String(e), log: undefined };
  }
  // the constructor at the other end adds the errno's name again
  const message = e.message.slice(0, e.message.lastIndexOf(": "));
  return { errno: e.errno, message, log: e instanceof VerifierError ? e.log : undefined };
}

export function receivedError({ errno, message, log }: SentError): Error {
  if (errno === undefined) return new Error(`in the other process: ${message}`);
  return log === undefined ? new BpfError(errno, message) : new VerifierError(errno, message, { log });
}
