/**
 * Fds that go from one process to another over a Unix socket: SCM_RIGHTS, as unix(7) describes it.
 *
 * A message is one byte of data with one fd, so that data on the same socket keeps its order. struct msghdr and struct
 * cmsghdr are laid out for 64-bit machines.
 */
import { BpfError, EBADMSG } from "../../abi/errno.ts";
import type { Sys } from "./sys.ts";

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** struct msghdr: name, namelen, iov, iovlen, control, controllen, flags. */
const MSGHDR = { size: 56, iov: 16, iovLen: 24, control: 32, controlLen: 40 } as const;
/** struct cmsghdr and one int: u64 length, u32 level, u32 type, the fd; padded to 8. */
const CMSG = { size: 24, used: 20, level: 8, type: 12, fd: 16 } as const;

export function socketPair(sys: Sys): [number, number] {
  const fds = new Int32Array(2);
  const bytes = new Uint8Array(fds.buffer);
  sys.keep = [bytes];
  sys.must("socket pair", "socketpair", AF_UNIX, SOCK_STREAM_CLOEXEC, 0, sys.addressOf(bytes));
  return [fds[0]!, fds[1]!];
}

export function sendFd(sys: Sys, socket: number, fd: number): void {
  const message = new Message(sys);
  const view = new DataView(message.control.buffer);
  view.setBigUint64(0, BigInt(CMSG.used), true);
  view.setUint32(CMSG.level, SOL_SOCKET, true);
  view.setUint32(CMSG.type, SCM_RIGHTS, true);
  view.setInt32(CMSG.fd, fd, true);
  message.pass(`fd ${fd}`, "sendmsg", socket, 0);
}

/** @throws EBADMSG the next message carries no fd */
export function receiveFd(sys: Sys, socket: number): number {
  const message = new Message(sys);
  const n = message.pass("fd of another process", "recvmsg", socket, MSG_CMSG_CLOEXEC);
  const view = new DataView(message.control.buffer);
  if (n !== 1 || view.getUint32(CMSG.type, true) !== SCM_RIGHTS) {
    throw new BpfError(EBADMSG, `socket ${socket}: a message of ${n} bytes without an fd seen, an fd wanted`);
  }
  return view.getInt32(CMSG.fd, true);
}

class Message {
  readonly control = new Uint8Array(CMSG.size);
  readonly #data = new Uint8Array(1);
  readonly #iov = new BigUint64Array(2);
  readonly #header = new Uint8Array(MSGHDR.size);
  readonly #sys: Sys;

  constructor(sys: Sys) {
    this.#sys = sys;
  }

  pass(what: string, name: "sendmsg" | "recvmsg", socket: number, flags: number): number {
    const sys = this.#sys;
    const iov = new Uint8Array(this.#iov.buffer);
    const view = new DataView(this.#header.buffer);
    this.#iov.set([BigInt(sys.addressOf(this.#data)), 1n]);
    view.setBigUint64(MSGHDR.iov, BigInt(sys.addressOf(iov)), true);
    view.setBigUint64(MSGHDR.iovLen, 1n, true);
    view.setBigUint64(MSGHDR.control, BigInt(sys.addressOf(this.control)), true);
    view.setBigUint64(MSGHDR.controlLen, BigInt(CMSG.size), true);
    sys.keep = [this];
    return sys.must(what, name, socket, sys.addressOf(this.#header), flags);
  }
}
