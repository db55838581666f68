/**
 * AF_NETLINK, family route: messages out, answers in. Works in the network namespace of the calling thread.
 *
 * A message is a header, a fixed struct (struct ifinfomsg, struct tcmsg) and attributes; an attribute is u16 length, u16
 * type, data padded to 4. Errors of the kernel are BpfErrors with the words of its extended acknowledgement.
 */

import { fromCString } from "../../abi/cstring.ts";
import { BpfError, EINVAL, type Errno } from "../../abi/errno.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import type { Sys } from "./sys.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const HEADER = 16;
const F_REQUEST = 1;
const F_MULTI = 2;
const F_ACK = 4;
const F_DUMP = 0x300;
const F_NESTED = 0x8000;
/** Of an error message: extended acknowledgement follows; the message that failed is not repeated. */
const F_ACK_TLVS = 0x200;
const F_CAPPED = 0x100;
const NLMSGERR_ATTR_MSG = 1;

export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

/** Bytes, text (NUL-terminated), a u32, or attributes inside. */
export type Attr = readonly [type: number, value: Uint8Array | string | number | readonly Attr[]];

export interface Message {
  readonly type: number;
  readonly flags: number;
  /** The fixed struct and the attributes behind it. */
  readonly body: Uint8Array;
}

export function attrs(list: readonly Attr[]): Uint8Array {
  const w = new ByteWriter();
  for (const [type, value] of list) {
    const nested = Array.isArray(value);
    const data = nested
      ? attrs(value)
      : typeof value === "number"
        ? new ByteWriter(4).u32(value >>> 0).finish()
        : typeof value === "string"
          ? new TextEncoder().encode(`${value}\0`)
          : (value as Uint8Array);
    w.u16(4 + data.length).u16(nested ? type | F_NESTED : type);
    for (let i = 0; i < ((data.length + 3) & ~3); i++) w.u8(data[i] ?? 0);
  }
  return w.finish();
}

/** By type; the first of each. */
export function readAttrs(bytes: Uint8Array): Map<number, Uint8Array> {
  const out = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const len = view.getUint16(at, true);
    if (len < 4 || at + len > bytes.length) break;
    const type = view.getUint16(at + 2, true) & 0x3fff;
    if (!out.has(type)) out.set(type, bytes.subarray(at + 4, at + len));
    at += (len + 3) & ~3;
  }
  return out;
}

export function u32Of(bytes: Uint8Array | undefined): number | undefined {
  return bytes && bytes.length >= 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : undefined;
}

export class Netlink implements Disposable {
  readonly #sys: Sys;
  readonly #fd: number;
  #seq = 1;

  constructor(sys: Sys) {
    this.#sys = sys;
    this.#fd = sys.must("netlink", "socket", AF_NETLINK, SOCK_RAW_CLOEXEC, 0);
  }

  [Symbol.dispose](): void {
    this.#sys.call("close", this.#fd);
  }

  /** @param what names the thing in errors */
  change(what: string, type: number, fixed: Uint8Array, list: readonly Attr[], flags = 0): void {
    this.#send(what, type, F_REQUEST | F_ACK | flags, fixed, list);
    this.#receive(what);
  }

  dump(what: string, type: number, fixed: Uint8Array, list: readonly Attr[] = []): Message[] {
    this.#send(what, type, F_REQUEST | F_DUMP, fixed, list);
    return this.#receive(what);
  }

  #send(what: string, type: number, flags: number, fixed: Uint8Array, list: readonly Attr[]): void {
    const tail = attrs(list);
    const w = new ByteWriter(HEADER + fixed.length + tail.length);
    w.u32(HEADER + fixed.length + tail.length)
      .u16(type)
      .u16(flags)
      .u32(++this.#seq)
      .u32(0)
      .bytes(fixed)
      .bytes(tail);
    const bytes = w.finish();
    this.#sys.keep = [bytes];
    this.#sys.must(what, "sendto", this.#fd, this.#sys.addressOf(bytes), bytes.length, 0, 0, 0);
  }

  /** All parts of the answer; ends at an acknowledgement or at the end of a dump. */
  #receive(what: string): Message[] {
    const out: Message[] = [];
    const buffer = new Uint8Array(1 << 16);
    for (;;) {
      this.#sys.keep = [buffer];
      const n = this.#sys.must(what, "recvfrom", this.#fd, this.#sys.addressOf(buffer), buffer.length, 0, 0, 0);
      const view = new DataView(buffer.buffer);
      for (let at = 0; at + HEADER <= n; ) {
        const len = view.getUint32(at, true);
        if (len < HEADER) throw new BpfError(EINVAL, `${what}: netlink message of ${len} bytes`);
        const type = view.getUint16(at + 4, true);
        const flags = view.getUint16(at + 6, true);
        const body = buffer.slice(at + HEADER, at + len);
        if (view.getUint32(at + 8, true) === this.#seq) {
          if (type === NLMSG_DONE) return out;
          if (type === NLMSG_ERROR) {
            failOn(what, flags, body);
            return out;
          }
          out.push({ type, flags, body });
          if (!(flags & F_MULTI)) return out;
        }
        at += (len + 3) & ~3;
      }
    }
  }
}

function failOn(what: string, flags: number, body: Uint8Array): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const error = view.getInt32(0, true);
  if (error === 0) return;
  const skip = flags & F_CAPPED ? 4 + HEADER : 4 + view.getUint32(4, true);
  const message = flags & F_ACK_TLVS ? readAttrs(body.subarray((skip + 3) & ~3)).get(NLMSGERR_ATTR_MSG) : undefined;
  throw new BpfError(-error as Errno, message ? `${what}: ${fromCString(message)}` : what);
}
